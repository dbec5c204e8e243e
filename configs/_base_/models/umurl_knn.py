# The gallery's dataloader is the dataset's business: see _base_/datasets.
model = dict(
    type='SkeletonKNN',
    backbone=dict(
        type='UmURLBackbone',
        graph_cfg=dict(layout='nturgb+d'),
        in_channels=3,
        num_person=2,
        clip_len=64,
        embed_dims=1024,
        num_heads=1,
        num_layers=1,
        modalities=('joint', 'bone', 'motion')),
    num_neighbors=1,
    data_preprocessor=dict(type='SkeletonDataPreprocessor'))
