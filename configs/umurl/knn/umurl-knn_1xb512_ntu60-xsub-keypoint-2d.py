# 2D keypoints of a pose estimator, in pixels of the frame.
_base_ = './umurl-knn_1xb512_ntu60-xsub-keypoint-3d.py'

ann_file = 'data/skeleton/ntu60_2d.pkl'
prepare = [dict(type='PreNormalize2D')]
test_pipeline = prepare + _base_.pipeline
clips = dict(ann_file=ann_file, prepare=prepare)
model = dict(
    backbone=dict(graph_cfg=dict(layout='coco'), in_channels=2),
    gallery=dict(dataset=clips))
test_dataloader = dict(dataset=clips)
