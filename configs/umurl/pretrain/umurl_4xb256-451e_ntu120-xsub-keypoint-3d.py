_base_ = [
    '../../_base_/models/umurl.py', '../../_base_/datasets/ntu120_3d.py',
    '../../_base_/datasets/pretrain_loaders.py',
    '../../_base_/schedules/pretrain_451e.py',
    '../../_base_/pretrain_runtime.py'
]

model = dict(
    backbone=_base_.skeleton, data_preprocessor=dict(views=_base_.views))
train_dataloader = dict(batch_size=256, dataset=_base_.xsub_train)
val_dataloader = dict(batch_size=256)
auto_scale_lr = dict(base_batch_size=1024)
