from .cache_features_hook import CacheFeaturesHook
from .check_data_hook import CheckDataHook
from .keep_on_device_hook import KeepOnDeviceHook

__all__ = ['CacheFeaturesHook', 'CheckDataHook', 'KeepOnDeviceHook']
