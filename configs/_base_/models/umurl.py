# Paper, Sec. 4.1.
graph_cfg = dict(layout='nturgb+d')
modalities = ('joint', 'bone', 'motion')
model = dict(
    type='UmURL',
    modalities=modalities,
    graph_cfg=graph_cfg,
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
    neck=dict(type='ModalityProjector', in_channels=2048, out_channels=4096),
    heads=dict(
        intra=dict(type='IntraModalConsistencyHead', loss_weight=5.0),
        inter=dict(type='InterModalConsistencyHead', loss_weight=5.0),
        regularizer=dict(
            type='VarianceCovarianceHead', var_weight=5.0, cov_weight=1.0)),
    data_preprocessor=dict(type='SkeletonDataPreprocessor'))
