# These settings are ours; the paper gives none for fine-tuning.
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=100, val_begin=1, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# The scope selects our AmpOptimWrapper, which takes the fast dtype of the
# device.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    _scope_='umurl_mmaction',
    optimizer=dict(type='Adam', lr=5e-4, weight_decay=1e-5, fused=True))
param_scheduler = [dict(type='MultiStepLR', milestones=[70, 90], gamma=0.1)]
auto_scale_lr = dict(enable=False, base_batch_size=128)
