# As pretrain.py and script_pretrain.sh in the paper's code.
# The retrieval of val_cfg runs every 10 epochs.
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=451, val_interval=10)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='Adam', lr=5e-4, weight_decay=1e-5, fused=True))
param_scheduler = [dict(type='MultiStepLR', milestones=[351], gamma=0.1)]
auto_scale_lr = dict(enable=False, base_batch_size=512)
# The projectors' batch statistics are those of the whole batch.
sync_bn = 'torch'
