_base_ = [
    '../../_base_/models/umurl_linear.py',
    '../../_base_/datasets/utd_mhad_2d.py',
    '../../_base_/datasets/eval_loaders.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(_base_.skeleton, embed_dims=128, frozen=False),
    cls_head=dict(num_classes=_base_.num_classes, in_channels=256))
train_dataloader = dict(
    batch_size=64, num_workers=1, dataset=_base_.train_set)
val_dataloader = dict(batch_size=64, num_workers=1, dataset=_base_.val_set)
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=64)
load_from = (
    'work_dirs/umurl-plus_1xb64-3k_utd-mhad-keypoint-2d/iter_3000.pth')
