_base_ = [
    '../../_base_/models/umurl_linear.py', '../../_base_/datasets/linear.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py'
]

model = dict(backbone=dict(frozen=False))
ann_file = 'data/skeleton/ntu60_3d.pkl'
train_dataloader = dict(
    batch_size=128, dataset=dict(ann_file=ann_file, split='xsub_train'))
val_dataloader = dict(
    batch_size=128, dataset=dict(ann_file=ann_file, split='xsub_val'))
test_dataloader = val_dataloader

load_from = ('work_dirs/umurl_4xb128-451e_ntu60-xsub-keypoint-3d/'
             'epoch_451.pth')
