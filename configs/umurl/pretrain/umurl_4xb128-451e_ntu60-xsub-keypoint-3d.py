_base_ = [
    '../../_base_/models/umurl.py', '../../_base_/datasets/ntu60_3d.py',
    '../../_base_/datasets/pretrain_loaders.py',
    '../../_base_/schedules/pretrain_451e.py',
    '../../_base_/pretrain_runtime.py'
]

model = dict(
    backbone=_base_.skeleton, data_preprocessor=dict(views=_base_.views))
train_dataloader = dict(dataset=_base_.xsub_train)
