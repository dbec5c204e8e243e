# GTU 3D Actions, 3D skeletons of Kinect v2: 14 classes, 508 clips; the last
# 30 % of each class are for the test.
ann_file = 'data/skeleton/gtu3d.pkl'
num_classes = 14
skeleton = dict(
    graph_cfg=dict(layout='nturgb+d'), in_channels=3, num_person=1)
train_set = dict(ann_file=ann_file, split='train')
val_set = dict(ann_file=ann_file, split='val')
