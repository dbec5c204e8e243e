_base_ = [
    '../../_base_/models/umurl_linear.py',
    '../../_base_/datasets/pkummd2_3d.py',
    '../../_base_/datasets/eval_loaders.py',
    '../../_base_/schedules/linear_150e.py',
    '../../_base_/linear_runtime.py'
]

model = dict(
    backbone=_base_.skeleton, cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=_base_.xsub_train)
val_dataloader = dict(dataset=_base_.xsub_val)
test_dataloader = val_dataloader
load_from = ('work_dirs/umurl_4xb128-451e_pkummd2-xsub-keypoint-3d/'
             'epoch_451.pth')
