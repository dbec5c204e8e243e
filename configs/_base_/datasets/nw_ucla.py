# NW-UCLA, 3D skeletons of Kinect v1: 10 classes, 1,484 clips; views 1 and 2
# for training, view 3 for the test. In the common files, 95 of the 464 test
# clips are copies of training clips: `train_nodup` and `val_nodup` leave out
# both. The standard split is `train` and `val`; `xview1_train` and
# `xview1_val_clean` have view 1 as the test.
ann_file = 'data/skeleton/nw_ucla.pkl'
num_classes = 10
skeleton = dict(
    graph_cfg=dict(layout='kinect-v1'), in_channels=3, num_person=1)
normalize = [dict(type='SkeletonPreNormalize', layout='kinect-v1')]
train_set = dict(ann_file=ann_file, split='train_nodup', prepare=normalize)
val_set = dict(ann_file=ann_file, split='val_nodup', prepare=normalize)
