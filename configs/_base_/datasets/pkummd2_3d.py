# PKU-MMD part II, with the class numbers of part I. See tools/data/README.md.
ann_file = 'data/skeleton/pkummd2_3d.pkl'
num_classes = 51
skeleton = dict(
    graph_cfg=dict(layout='nturgb+d'), in_channels=3, num_person=2)
xsub_train = dict(ann_file=ann_file, split='xsub_train')
xsub_val = dict(ann_file=ann_file, split='xsub_val')
