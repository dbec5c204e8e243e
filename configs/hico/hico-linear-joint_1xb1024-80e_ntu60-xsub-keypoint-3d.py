_base_ = [
    '../umurl/linear/umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py',
    '../_base_/models/hico_encoder.py'
]

model = dict(
    backbone=dict(
        _base_.encoder,
        **_base_.skeleton,
        modalities=('joint', ),
        frozen=True,
        _delete_=True),
    cls_head=dict(in_channels=4096))
# The settings are those of action_classification.py and its script in HiCo's
# code.
train_dataloader = dict(batch_size=1024)
train_cfg = dict(max_epochs=80)
optim_wrapper = dict(optimizer=dict(lr=2.0))
param_scheduler = [dict(type='MultiStepLR', milestones=[50, 70], gamma=0.1)]
auto_scale_lr = dict(base_batch_size=1024)
load_from = ('work_dirs/hico-joint_1xb64-451e_ntu60-xsub-keypoint-3d/'
             'epoch_451.pth')
