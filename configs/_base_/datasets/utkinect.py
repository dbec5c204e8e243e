# UTKinect-Action3D, 3D skeletons of Kinect v1: 10 classes, 199 clips; odd
# subjects for training, even ones for the test. `s01_e01_train` and
# `s01_e01_val` leave out one of the 20 recordings, and so on.
ann_file = 'data/skeleton/utkinect.pkl'
num_classes = 10
skeleton = dict(
    graph_cfg=dict(layout='kinect-v1'), in_channels=3, num_person=1)
normalize = [dict(type='SkeletonPreNormalize', layout='kinect-v1')]
train_set = dict(ann_file=ann_file, split='train', prepare=normalize)
val_set = dict(ann_file=ann_file, split='val', prepare=normalize)
