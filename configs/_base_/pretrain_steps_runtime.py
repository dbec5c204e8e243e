_base_ = './pretrain_runtime.py'

# Runs that count steps, not epochs.
default_hooks = dict(
    # Validations at their step: TensorBoard draws them beside the losses.
    logger=dict(interval=100, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=500))
log_processor = dict(by_epoch=False)
