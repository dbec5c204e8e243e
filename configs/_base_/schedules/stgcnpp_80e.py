# MMAction2's schedule of ST-GCN++: 16 epochs of five passes. Its learning
# rate is 0.1 for 8 x 16 clips; here for 1 x 16, by its linear rule.
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=16, val_begin=16, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='AmpOptimWrapper',
    _scope_='umurl_mmaction',
    optimizer=dict(
        type='SGD',
        lr=0.0125,
        momentum=0.9,
        weight_decay=0.0005,
        nesterov=True))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0,
        T_max=16,
        by_epoch=True,
        convert_to_iter_based=True)
]
auto_scale_lr = dict(enable=False, base_batch_size=16)
