# MSR-Action3D, 3D skeletons of a depth camera: 20 classes; odd subjects for
# training, even ones for the test. `as1_train`, `as1_val` and so on are those
# of the three subsets of 8 classes.
ann_file = 'data/skeleton/msr_action3d.pkl'
num_classes = 20
skeleton = dict(graph_cfg=dict(layout='msr'), in_channels=3, num_person=1)
normalize = [dict(type='SkeletonPreNormalize', layout='msr')]
train_set = dict(ann_file=ann_file, split='train', prepare=normalize)
val_set = dict(ann_file=ann_file, split='val', prepare=normalize)
