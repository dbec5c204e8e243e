_base_ = './umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py'

model = dict(
    backbone=dict(embed_dims=128),
    cls_head=dict(num_classes=14, in_channels=256))
ann_file = 'data/synthetic.pkl'
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    dataset=dict(ann_file=ann_file, split='train'))
val_dataloader = dict(
    batch_size=64, num_workers=2, dataset=dict(ann_file=ann_file, split='val'))
test_dataloader = val_dataloader

auto_scale_lr = dict(base_batch_size=64)
load_from = 'work_dirs/umurl_1xb64_synthetic/epoch_30.pth'
