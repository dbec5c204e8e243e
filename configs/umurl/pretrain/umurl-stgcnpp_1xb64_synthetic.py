# A small demonstration for CPUs, not a benchmark.
_base_ = [
    './umurl_1xb64_synthetic.py', '../../_base_/models/stgcnpp_small.py'
]

model = dict(backbone=dict(_base_.encoder, _delete_=True))
train_cfg = dict(max_epochs=10)
param_scheduler = [dict(type='MultiStepLR', milestones=[8], gamma=0.1)]
