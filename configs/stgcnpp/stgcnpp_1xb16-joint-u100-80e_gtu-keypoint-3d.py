_base_ = [
    '../_base_/models/stgcnpp_recognizer.py', '../_base_/datasets/gtu.py',
    '../_base_/datasets/gcn_loaders.py', '../_base_/schedules/stgcnpp_80e.py',
    '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(graph_cfg=_base_.skeleton.graph_cfg),
    cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(dataset=_base_.train_set))
val_dataloader = dict(dataset=_base_.val_set)
test_dataloader = dict(dataset=_base_.val_set)
