# NTU RGB+D 60, 3D skeletons of Kinect v2. See tools/data/README.md.
ann_file = 'data/skeleton/ntu60_3d.pkl'
num_classes = 60
skeleton = dict(
    graph_cfg=dict(layout='nturgb+d'), in_channels=3, num_person=2)
xsub_train = dict(ann_file=ann_file, split='xsub_train')
xsub_val = dict(ann_file=ann_file, split='xsub_val')
xview_train = dict(ann_file=ann_file, split='xview_train')
xview_val = dict(ann_file=ann_file, split='xview_val')
