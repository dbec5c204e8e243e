_base_ = './umurl-finetune_1xb128-100e_ntu60-xsub-keypoint-3d.py'

model = dict(cls_head=dict(num_classes=51))
ann_file = 'data/skeleton/pkummd2_3d.pkl'
train_dataloader = dict(dataset=dict(ann_file=ann_file, split='xsub_train'))
val_dataloader = dict(dataset=dict(ann_file=ann_file, split='xsub_val'))
test_dataloader = val_dataloader

load_from = ('work_dirs/umurl_4xb128-451e_pkummd2-xsub-keypoint-3d/'
             'epoch_451.pth')
