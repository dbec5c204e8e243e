_base_ = './umurl_backbone.py'

# The gallery is the training split, with the pipeline of the queries.
gallery_pipeline = [
    dict(type='TemporalCropResize', ratio=(1.0, 1.0)),
    dict(type='PackSkeletonInputs'),
]

model = dict(
    type='SkeletonKNN',
    gallery=dict(
        batch_size=512,
        num_workers=8,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='SkeletonDataset',
            ann_file='???',
            split='???',
            prepare=[dict(type='SkeletonPreNormalize')],
            pipeline=gallery_pipeline,
            test_mode=True)),
    num_neighbors=1)
