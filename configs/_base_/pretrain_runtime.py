_base_ = './default_runtime.py'

# The loss hardly shows whether the feature is better than none, or collapses,
# and a run of few steps learns nothing.
default_hooks = dict(
    retrieval_baseline=dict(type='RetrievalBaselineHook'),
    collapse_monitor=dict(type='CollapseMonitorHook', interval=100),
    check_steps=dict(type='CheckStepsHook'))
