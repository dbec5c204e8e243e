_base_ = [
    '../_base_/models/usdrl_joint.py', '../_base_/models/dste.py',
    '../_base_/datasets/ntu120_3d.py',
    '../_base_/datasets/pretrain_loaders.py',
    '../_base_/schedules/pretrain_451e.py', '../_base_/pretrain_runtime.py'
]

model = dict(
    backbone=dict(
        _base_.encoder,
        **_base_.skeleton,
        modalities=('joint', ),
        _delete_=True),
    data_preprocessor=dict(views=_base_.views))
train_dataloader = dict(batch_size=356, dataset=_base_.xsub_train)
auto_scale_lr = dict(base_batch_size=356)
