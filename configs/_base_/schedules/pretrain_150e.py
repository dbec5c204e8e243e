# Ten epochs of warm-up, then a cosine: the settings are those of config.py and
# procedure.py in PSTL's code (https://github.com/YujieOuO/PSTL), whose first
# epoch has a rate of 0, where ours has the rate of its second one.
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=150, val_interval=10)
# The scope selects our AmpOptimWrapper, which takes the fast dtype of the
# device.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    _scope_='umurl_mmaction',
    optimizer=dict(type='Adam', lr=5e-3, weight_decay=1e-5, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=10),
    dict(type='CosineAnnealingLR', begin=10, end=150, eta_min=0)
]
auto_scale_lr = dict(enable=False, base_batch_size=128)
