# A short tuning at the end of a pre-training, after STARS
# (https://github.com/TaatiTeam/STARS, read in code): a clip's feature predicts
# the nearest of the features of former batches. Whole clips, without
# augmentation. STARS has two stages, first the predictor alone; here the
# warm-up does for the first. Queue and steps are for sets of some hundred
# clips: configs/umurl/ablations.md shows what they do.
whole_views = dict(
    type='SkeletonMultiView',
    transforms=[[dict(type='TemporalCropResize', ratio=(1.0, 1.0))]])
# All modalities together, twice, without the projectors of the pre-training.
tuned_model = dict(
    branches=dict(fused=None),
    neck=dict(_delete_=True, type='StandardizingProjector'),
    heads=dict(
        _delete_=True,
        neighbor=dict(
            type='NearestNeighborContrastHead',
            channels=256,
            queue_size=128,
            temperature=0.07,
            hidden_channels=4096)),
    data_preprocessor=dict(views=whole_views))

tuning = dict(type='PassesTrainLoop', max_iters=300, val_interval=100)
tuning_optim = dict(
    optimizer=dict(
        _delete_=True,
        type='AdamW',
        lr=1e-3,
        betas=(0.9, 0.95),
        weight_decay=0.01),
    # The further from the head, the less: 0.45 for each part of the encoder.
    paramwise_cfg=dict(
        custom_keys={
            'backbone.encoder': dict(lr_mult=0.45),
            'backbone.fusion': dict(lr_mult=0.2),
            'backbone.embeddings': dict(lr_mult=0.09)
        }))
tuning_warmup = [
    dict(type='LinearLR', by_epoch=False, start_factor=0.01, end=30)
]
tuning_hooks = dict(
    checkpoint=dict(interval=100), check_steps=dict(min_iters=300))
