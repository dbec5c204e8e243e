# As options_pretraining.py in the paper's code.
graph_cfg = dict(layout='nturgb+d')
modalities = ('joint', 'bone', 'motion')
model = dict(
    backbone=dict(
        type='UmURLBackbone',
        graph_cfg=graph_cfg,
        in_channels=3,
        num_person=2,
        clip_len=64,
        embed_dims=1024,
        num_heads=1,
        num_layers=1,
        modalities=modalities),
    data_preprocessor=dict(type='SkeletonDataPreprocessor'))
