# The synthetic set of tools/data/make_synthetic.py. Its skeleton (nturgb+d, 3
# coordinates, up to two bodies) is the default of the encoder. Configs of
# other data inherit from these and name an `ann_file` that describes the data.
ann_file = 'data/synthetic.pkl'
num_classes = 14
train_set = dict(ann_file=ann_file, split='train')
val_set = dict(ann_file=ann_file, split='val')
