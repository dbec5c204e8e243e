# Input of MMAction2's graph convolutions: 100 frames, drawn uniformly; ten
# draws of each clip in the test. An experiment gives files and splits.
gcn_prepare = [dict(type='SkeletonPreNormalize')]
gcn_pack = [
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs')
]
gcn_pipeline = [dict(type='UniformSampleFrames', clip_len=100), *gcn_pack]
gcn_val_pipeline = [
    dict(
        type='UniformSampleFrames', clip_len=100, num_clips=1, test_mode=True),
    *gcn_pack
]
gcn_test_pipeline = [
    dict(
        type='UniformSampleFrames',
        clip_len=100,
        num_clips=10,
        test_mode=True), *gcn_pack
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='RepeatDataset',
        times=5,
        dataset=dict(
            type='SkeletonDataset',
            ann_file='???',
            split='???',
            prepare=gcn_prepare,
            pipeline=gcn_pipeline)))
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        prepare=gcn_prepare,
        pipeline=gcn_val_pipeline,
        test_mode=True))
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        prepare=gcn_prepare,
        pipeline=gcn_test_pipeline,
        test_mode=True))

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
