# The settings are those of pretrain.py and script_pretrain.sh in the paper's
# code. Retrieval on the validation split runs every 10 epochs.
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=451, val_interval=10)
# The scope selects our AmpOptimWrapper, which takes the fast dtype of the
# device.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    _scope_='umurl_mmaction',
    optimizer=dict(type='Adam', lr=5e-4, weight_decay=1e-5, fused=True))
param_scheduler = [dict(type='MultiStepLR', milestones=[351], gamma=0.1)]
auto_scale_lr = dict(enable=False, base_batch_size=512)
