# MSRC-12, 3D skeletons of Kinect v1: 6,223 gestures of 30 people, cut around
# the action points; to pre-train on, without a split.
ann_file = 'data/skeleton/msrc12.pkl'
num_classes = 12
skeleton = dict(
    graph_cfg=dict(layout='kinect-v1'), in_channels=3, num_person=1)
normalize = [dict(type='SkeletonPreNormalize', layout='kinect-v1')]
train_set = dict(ann_file=ann_file, split=None, prepare=normalize)
