_base_ = [
    '../_base_/models/usdrl.py', '../_base_/datasets/synthetic.py',
    '../_base_/datasets/pretrain_loaders_small.py',
    '../_base_/datasets/plus_views.py', '../_base_/schedules/pretrain_3k.py',
    '../_base_/pretrain_steps_runtime.py'
]

model = dict(
    backbone=dict(embed_dims=128),
    part_neck=dict(hidden_channels=256),
    data_preprocessor=dict(views=_base_.plus_views))
train_dataloader = dict(dataset=_base_.train_set)
