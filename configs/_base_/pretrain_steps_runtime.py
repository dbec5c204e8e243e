_base_ = './pretrain_runtime.py'

# Runs that count steps, not epochs.
default_hooks = dict(
    logger=dict(interval=100),
    checkpoint=dict(by_epoch=False, interval=500))
log_processor = dict(by_epoch=False)
