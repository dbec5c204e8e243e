_base_ = [
    './umurl-plus_1xb64-3k_utd-mhad-keypoint-3d.py',
    '../../_base_/schedules/nearest_neighbor_tuning.py',
]

model = _base_.tuned_model
train_cfg = _base_.tuning
optim_wrapper = _base_.tuning_optim
param_scheduler = _base_.tuning_warmup
default_hooks = _base_.tuning_hooks
load_from = 'work_dirs/umurl-plus_1xb64-3k_utd-mhad-keypoint-3d/iter_3000.pth'
