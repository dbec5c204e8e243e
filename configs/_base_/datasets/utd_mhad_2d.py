_base_ = './utd_mhad.py'

# The same clips without depth, as `convert_annotations.py utd_mhad.pkl
# utd_mhad_2d.pkl --xy` writes them.
ann_file = 'data/skeleton/utd_mhad_2d.pkl'
skeleton = dict(in_channels=2)
train_set = dict(ann_file=ann_file)
val_set = dict(ann_file=ann_file)
