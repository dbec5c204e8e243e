# The settings are those of action_recognition.py and its script in the
# paper's code.
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=150, val_begin=1, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# With `--amp`, the scope selects our AmpOptimWrapper, which takes the fast
# dtype of the device.
optim_wrapper = dict(
    _scope_='umurl_mmaction',
    optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=0))
param_scheduler = [dict(type='MultiStepLR', milestones=[120, 140], gamma=0.1)]
auto_scale_lr = dict(enable=False, base_batch_size=512)
