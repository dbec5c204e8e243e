from .hooks import CacheFeaturesHook

__all__ = ['CacheFeaturesHook']
