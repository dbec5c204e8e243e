_base_ = './whole_clips.py'

test_dataloader = dict(
    batch_size=512,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset',
        ann_file='???',
        split='???',
        prepare=_base_.prepare,
        pipeline=_base_.pipeline,
        test_mode=True))

# One vote names one class: what would be second to fifth is not defined.
test_evaluator = dict(
    type='AccMetric',
    metric_options=dict(top_k_accuracy=dict(topk=(1, ))))
test_cfg = dict(type='TestLoop')
