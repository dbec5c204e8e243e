# The encoder stays as it is; one linear layer is trained on its feature.
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='UmURLBackbone',
        graph_cfg=dict(layout='nturgb+d'),
        in_channels=3,
        num_person=2,
        clip_len=64,
        embed_dims=1024,
        num_heads=1,
        num_layers=1,
        modalities=('joint', 'bone', 'motion'),
        frozen=True),
    cls_head=dict(type='LinearClsHead', num_classes=60, in_channels=2048),
    data_preprocessor=dict(type='SkeletonDataPreprocessor'))
