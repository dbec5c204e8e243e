_base_ = [
    '../../_base_/models/umurl_linear.py',
    '../../_base_/datasets/synthetic.py',
    '../../_base_/datasets/eval_loaders.py',
    '../../_base_/schedules/linear_150e.py',
    '../../_base_/linear_runtime.py'
]

model = dict(
    backbone=dict(embed_dims=128),
    cls_head=dict(num_classes=_base_.num_classes, in_channels=256))
train_dataloader = dict(
    batch_size=64, num_workers=2, dataset=_base_.train_set)
val_dataloader = dict(batch_size=64, num_workers=2, dataset=_base_.val_set)
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=64)
load_from = 'work_dirs/umurl_1xb64_synthetic/epoch_30.pth'
