_base_ = [
    './umurl-plus_1xb64-3k_utd-mhad-keypoint-3d.py',
    '../../_base_/schedules/nearest_neighbor_tuning.py',
]

model = dict(
    branches=_base_.neighbor_branches,
    neck=dict(_delete_=True, **_base_.neighbor_neck),
    heads=dict(
        _delete_=True, neighbor=dict(channels=256, **_base_.neighbor_head)),
    data_preprocessor=dict(views=_base_.whole_views))
train_cfg = dict(max_iters=300, val_interval=100)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, **_base_.neighbor_optim.optimizer),
    paramwise_cfg=_base_.neighbor_optim.paramwise_cfg)
param_scheduler = _base_.neighbor_warmup
default_hooks = dict(
    checkpoint=dict(interval=100), check_steps=dict(min_iters=300))
load_from = 'work_dirs/umurl-plus_1xb64-3k_utd-mhad-keypoint-3d/iter_3000.pth'
