# NTU RGB+D 120, 3D skeletons of Kinect v2. See tools/data/README.md.
ann_file = 'data/skeleton/ntu120_3d.pkl'
num_classes = 120
skeleton = dict(
    graph_cfg=dict(layout='nturgb+d'), in_channels=3, num_person=2)
xsub_train = dict(ann_file=ann_file, split='xsub_train')
xsub_val = dict(ann_file=ann_file, split='xsub_val')
xset_train = dict(ann_file=ann_file, split='xset_train')
xset_val = dict(ann_file=ann_file, split='xset_val')
