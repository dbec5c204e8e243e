_base_ = [
    '../_base_/models/hico.py', '../_base_/datasets/ntu60_3d.py',
    '../_base_/datasets/pretrain_loaders.py',
    '../_base_/schedules/hico_451e.py', '../_base_/pretrain_runtime.py'
]

model = dict(
    backbone=dict(_base_.skeleton, modalities=('joint', )),
    neck=dict(
        init_cfg=dict(type='Xavier', layer='Linear', distribution='uniform')),
    data_preprocessor=dict(views=_base_.views))
# The queues hold whole batches.
train_dataloader = dict(
    batch_size=64, drop_last=True, dataset=_base_.xsub_train)
