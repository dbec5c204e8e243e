_base_ = [
    '../_base_/models/skeletal_twins.py', '../_base_/models/stgcn.py',
    '../_base_/datasets/ntu60_3d.py',
    '../_base_/datasets/pretrain_loaders.py',
    '../_base_/schedules/pretrain_150e.py', '../_base_/pretrain_runtime.py'
]

model = dict(
    backbone=dict(_base_.encoder, **_base_.skeleton, _delete_=True),
    neck=dict(hidden_channels=6144, out_channels=6144),
    data_preprocessor=dict(views=_base_.views))
train_dataloader = dict(dataset=_base_.xsub_train)
