prepare = [dict(type='SkeletonPreNormalize')]
pipeline = [
    dict(type='TemporalCropResize', ratio=(1.0, 1.0)),
    dict(type='PackSkeletonInputs'),
]
# MMAction2's inference_skeleton needs this name.
test_pipeline = prepare + pipeline

test_dataloader = dict(
    batch_size=512,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        prepare=prepare,
        pipeline=pipeline,
        test_mode=True))

test_evaluator = dict(type='AccMetric')
test_cfg = dict(type='TestLoop')
