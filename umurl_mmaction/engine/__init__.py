from .hooks import CacheFeaturesHook, CheckDataHook, KeepOnDeviceHook
from .optim import AutoAmpOptimWrapper

__all__ = [
    'AutoAmpOptimWrapper', 'CacheFeaturesHook', 'CheckDataHook',
    'KeepOnDeviceHook'
]
