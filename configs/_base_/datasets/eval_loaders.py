# Whole clips without augmentation.
prepare = [dict(type='SkeletonPreNormalize')]
pipeline = [
    dict(type='TemporalCropResize', ratio=(1.0, 1.0)),
    dict(type='PackSkeletonInputs'),
]
# MMAction2's inference_skeleton needs this name.
test_pipeline = prepare + pipeline

train_dataloader = dict(
    batch_size=512,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        prepare=prepare,
        pipeline=pipeline))
val_dataloader = dict(
    batch_size=512,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        prepare=prepare,
        pipeline=pipeline,
        test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
