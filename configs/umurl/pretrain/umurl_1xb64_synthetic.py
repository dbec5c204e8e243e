# The embedded default: small enough for two CPU cores. Not a benchmark.
_base_ = './umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'

model = dict(backbone=dict(embed_dims=128), neck=dict(in_channels=256))
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    dataset=dict(ann_file='data/synthetic.pkl', split='train'))

train_cfg = dict(max_epochs=30)
# In full precision: at this width half precision is no faster.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(lr=2e-3))
param_scheduler = [dict(type='MultiStepLR', milestones=[23], gamma=0.1)]
auto_scale_lr = dict(base_batch_size=64)
