# The model takes a view for each modality and one for all together; it sets
# their number and length.
views = dict(
    type='SkeletonMultiView',
    transforms=[[
        dict(type='TemporalCropResize', ratio=(0.1, 1.0), min_len=64),
        dict(
            type='RandomChoice',
            transforms=[[dict(type='JointCorruption', ratio=0.6)],
                        [dict(type='PoseShear', amplitude=1.0)]]),
    ]])

# The device makes the views of a batch. The workers make them clip by clip
# with `train_dataloader.dataset.pipeline=_base_.per_clip_pipeline`.
train_pipeline = [dict(type='PackSkeletonInputs', ragged=True)]
per_clip_pipeline = [views, dict(type='PackSkeletonInputs')]

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    # As in the paper's code, keep the last, smaller batch.
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pack_collate'),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        prepare=[dict(type='SkeletonPreNormalize')],
        pipeline=train_pipeline))

# Retrieval during training: these clips are the queries, and the training set
# is the gallery.
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pack_collate'),
    # File, preparation and split ('val' for 'train') follow the training set.
    dataset=dict(
        pipeline=train_pipeline,
        label_fraction=1.0,
        clips_per_class=None,
        test_mode=True))
val_cfg = dict(type='NearestNeighborValLoop')
val_evaluator = dict(type='NearestNeighborMetric')
