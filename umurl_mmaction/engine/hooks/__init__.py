from .cache_features_hook import CacheFeaturesHook

__all__ = ['CacheFeaturesHook']
