# A view each for joint, bone and motion, and one for all together.
train_pipeline = [
    dict(type='SkeletonPreNormalize', layout='nturgb+d'),
    dict(
        type='SkeletonMultiView',
        num_views=[4],
        transforms=[[
            dict(
                type='TemporalCropResize',
                ratio=(0.1, 1.0),
                min_len=64,
                clip_len=64),
            dict(
                type='RandomChoice',
                transforms=[[dict(type='JointCorruption', ratio=0.6)],
                            [dict(type='PoseShear', amplitude=1.0)]]),
        ]]),
    dict(type='PackSkeletonInputs', num_person=2),
]

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        pipeline=train_pipeline))
