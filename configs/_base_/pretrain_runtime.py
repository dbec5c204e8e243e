_base_ = './default_runtime.py'

# Shows whether the feature collapses; the loss hardly shows it.
default_hooks = dict(
    collapse_monitor=dict(type='CollapseMonitorHook', interval=100))
