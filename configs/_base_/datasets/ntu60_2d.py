# NTU RGB+D 60, 2D keypoints of a pose estimator in pixels of the frame. See
# tools/data/README.md for missing joints and scores.
ann_file = 'data/skeleton/ntu60_2d.pkl'
num_classes = 60
skeleton = dict(graph_cfg=dict(layout='coco'), in_channels=2, num_person=2)
normalize = [dict(type='SkeletonPreNormalize2D')]
xsub_train = dict(
    ann_file=ann_file,
    split='xsub_train',
    prepare=normalize,
    nonfinite='missing')
xsub_val = dict(
    ann_file=ann_file,
    split='xsub_val',
    prepare=normalize,
    nonfinite='missing')
