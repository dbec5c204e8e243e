_base_ = [
    '../../_base_/models/umurl.py', '../../_base_/datasets/utd_mhad_2d.py',
    '../../_base_/datasets/pretrain_loaders_small.py',
    '../../_base_/schedules/pretrain_3k.py',
    '../../_base_/pretrain_steps_runtime.py'
]

model = dict(
    backbone=dict(_base_.skeleton, embed_dims=128),
    data_preprocessor=dict(views=_base_.views))
train_dataloader = dict(dataset=_base_.train_set)
