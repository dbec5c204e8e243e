# 2D keypoints of a pose estimator, in pixels of the frame.
_base_ = './umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py'

model = dict(backbone=dict(graph_cfg=dict(layout='coco'), in_channels=2))
ann_file = 'data/skeleton/ntu60_2d.pkl'
prepare = [dict(type='PreNormalize2D')]
test_pipeline = prepare + _base_.pipeline
clips = dict(ann_file=ann_file, prepare=prepare)
train_dataloader = dict(dataset=clips)
val_dataloader = dict(dataset=clips)
test_dataloader = val_dataloader

load_from = ('work_dirs/umurl_4xb128-451e_ntu60-xsub-keypoint-2d/'
             'epoch_451.pth')
