# With UmURL's encoder, two layers deep, in place of DSTE.
_base_ = [
    '../_base_/models/usdrl_joint.py', '../_base_/datasets/ntu60_3d.py',
    '../_base_/datasets/pretrain_loaders.py',
    '../_base_/schedules/pretrain_451e.py', '../_base_/pretrain_runtime.py'
]

model = dict(
    backbone=dict(
        _base_.skeleton,
        modalities=('joint', ),
        num_layers=2,
        init_cfg=_base_.init),
    data_preprocessor=dict(views=_base_.views))
train_dataloader = dict(batch_size=356, dataset=_base_.xsub_train)
auto_scale_lr = dict(base_batch_size=356)
