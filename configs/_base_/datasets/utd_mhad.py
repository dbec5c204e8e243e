# UTD-MHAD, 3D skeletons of Kinect v1: 27 classes, 861 clips; odd subjects for
# training, even ones for the test.
ann_file = 'data/skeleton/utd_mhad.pkl'
num_classes = 27
skeleton = dict(
    graph_cfg=dict(layout='kinect-v1'), in_channels=3, num_person=1)
normalize = [dict(type='SkeletonPreNormalize', layout='kinect-v1')]
train_set = dict(ann_file=ann_file, split='train', prepare=normalize)
val_set = dict(ann_file=ann_file, split='val', prepare=normalize)
