# SBU Kinect Interaction, 3D skeletons of OpenNI: 8 classes, two people; five
# folds by the pairs of people. The split of another fold is `fold2_train` and
# `fold2_val`, and so on.
ann_file = 'data/skeleton/sbu.pkl'
num_classes = 8
skeleton = dict(graph_cfg=dict(layout='sbu'), in_channels=3, num_person=2)
normalize = [dict(type='SkeletonPreNormalize', layout='sbu')]
train_set = dict(ann_file=ann_file, split='fold1_train', prepare=normalize)
val_set = dict(ann_file=ann_file, split='fold1_val', prepare=normalize)
