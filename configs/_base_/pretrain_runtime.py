_base_ = './default_runtime.py'

# What a loss that hardly moves does not tell.
default_hooks = dict(
    retrieval_monitor=dict(type='RetrievalMonitorHook', interval=10),
    collapse_monitor=dict(type='CollapseMonitorHook', interval=100))
