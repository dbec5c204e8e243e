# 2D keypoints of a pose estimator, in pixels of the frame.
_base_ = './umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'

graph_cfg = dict(layout='coco')
model = dict(
    graph_cfg=graph_cfg, backbone=dict(graph_cfg=graph_cfg, in_channels=2))

train_dataloader = dict(
    dataset=dict(
        ann_file='data/skeleton/ntu60_2d.pkl',
        prepare=[dict(type='PreNormalize2D')]))
