_base_ = './default_runtime.py'

# Says whether the feature collapses, which the loss hardly shows.
default_hooks = dict(
    collapse_monitor=dict(type='CollapseMonitorHook', interval=100))
