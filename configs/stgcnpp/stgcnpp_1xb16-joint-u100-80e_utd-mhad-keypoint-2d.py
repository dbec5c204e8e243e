_base_ = [
    '../_base_/models/stgcnpp_recognizer.py',
    '../_base_/datasets/utd_mhad_2d.py',
    '../_base_/datasets/gcn_loaders.py', '../_base_/schedules/stgcnpp_80e.py',
    '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(in_channels=2, graph_cfg=dict(layout=_base_.kinect_v1)),
    cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(dataset=_base_.train_set))
val_dataloader = dict(dataset=_base_.val_set)
test_dataloader = dict(dataset=_base_.val_set)
