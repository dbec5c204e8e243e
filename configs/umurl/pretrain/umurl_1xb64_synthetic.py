# A small demonstration for two CPU cores, not a benchmark.
_base_ = [
    '../../_base_/models/umurl.py', '../../_base_/datasets/synthetic.py',
    '../../_base_/datasets/pretrain_loaders.py',
    '../../_base_/schedules/pretrain_451e.py',
    '../../_base_/pretrain_runtime.py'
]

model = dict(
    backbone=dict(embed_dims=128),
    data_preprocessor=dict(views=_base_.views))
train_dataloader = dict(
    batch_size=64, num_workers=2, dataset=_base_.train_set)
val_dataloader = dict(batch_size=64, num_workers=2)

train_cfg = dict(max_epochs=30)
# At this width, half precision is no faster.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(lr=2e-3))
param_scheduler = [dict(type='MultiStepLR', milestones=[23], gamma=0.1)]
auto_scale_lr = dict(base_batch_size=64)
