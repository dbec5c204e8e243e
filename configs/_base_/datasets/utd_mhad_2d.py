# UTD-MHAD without depth, as `convert_annotations.py utd_mhad.pkl
# utd_mhad_2d.pkl --xy` writes it; splits and classes are those of 3D.
ann_file = 'data/skeleton/utd_mhad_2d.pkl'
num_classes = 27
skeleton = dict(
    graph_cfg=dict(layout='kinect-v1'), in_channels=2, num_person=1)
normalize = [dict(type='SkeletonPreNormalize', layout='kinect-v1')]
train_set = dict(ann_file=ann_file, split='train', prepare=normalize)
val_set = dict(ann_file=ann_file, split='val', prepare=normalize)
