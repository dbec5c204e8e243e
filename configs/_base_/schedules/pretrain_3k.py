# For small sets: 30 passes over the clips, but at least 3,000 steps in batches
# of 64. The learning rate suits such batches. In 3,000 steps it falls as late
# as in the paper's code (351 of 451 epochs); longer runs want `milestones`.
train_cfg = dict(
    type='PassesTrainLoop', passes=30, min_iters=3000, val_interval=500)
# The scope selects our AmpOptimWrapper, which takes the fast dtype of the
# device.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    _scope_='umurl_mmaction',
    optimizer=dict(type='Adam', lr=2e-3, weight_decay=1e-5, fused=True))
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[2340], gamma=0.1)
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
