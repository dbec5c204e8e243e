_base_ = './default_runtime.py'

# An epoch on cached features takes a moment: a line for each validation.
default_hooks = dict(logger=dict(epochs=5))

# The frozen encoder encodes each clip once; with
# `--cfg-options custom_hooks="[]"`, in every epoch.
custom_hooks = [dict(type='CacheFeaturesHook')]
