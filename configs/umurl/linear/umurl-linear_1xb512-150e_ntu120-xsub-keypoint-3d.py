_base_ = './umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py'

model = dict(cls_head=dict(num_classes=120))
ann_file = 'data/skeleton/ntu120_3d.pkl'
train_dataloader = dict(dataset=dict(ann_file=ann_file, split='xsub_train'))
val_dataloader = dict(dataset=dict(ann_file=ann_file, split='xsub_val'))
test_dataloader = val_dataloader

load_from = ('work_dirs/umurl_4xb256-451e_ntu120-xsub-keypoint-3d/'
             'epoch_451.pth')
