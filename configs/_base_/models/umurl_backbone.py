# The sizes are those of options_pretraining.py in the paper's code.
model = dict(
    backbone=dict(
        type='UmURLBackbone',
        embed_dims=1024,
        num_heads=1,
        num_layers=1,
        modalities=('joint', 'bone', 'motion')),
    # Stock recognizers look it up outside MMAction2's scope.
    data_preprocessor=dict(type='mmaction.SkeletonDataPreprocessor'))
