prepare = [dict(type='SkeletonPreNormalize', layout='nturgb+d')]
pipeline = [
    dict(type='TemporalCropResize', ratio=(1.0, 1.0), clip_len=64),
    dict(type='PackSkeletonInputs', num_person=2),
]

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
