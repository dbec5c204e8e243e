# A view each for joint, bone and motion, and one for all together.
views = dict(
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
    ]])

# The views of a batch are made on the device. To make them clip by clip in
# the workers: `train_dataloader.dataset.pipeline=_base_.per_clip_pipeline`.
train_pipeline = [dict(type='PackSkeletonInputs', num_person=2, ragged=True)]
per_clip_pipeline = [views, dict(type='PackSkeletonInputs', num_person=2)]

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pack_collate'),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        prepare=[dict(type='SkeletonPreNormalize', layout='nturgb+d')],
        pipeline=train_pipeline))
