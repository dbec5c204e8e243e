from .hooks import CacheFeaturesHook, CheckDataHook

__all__ = ['CacheFeaturesHook', 'CheckDataHook']
