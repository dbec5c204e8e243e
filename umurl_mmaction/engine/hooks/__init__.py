from .cache_features_hook import CacheFeaturesHook
from .check_data_hook import CheckDataHook

__all__ = ['CacheFeaturesHook', 'CheckDataHook']
