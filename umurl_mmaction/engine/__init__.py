from .hooks import (
    CacheFeaturesHook,
    CheckDataHook,
    PreemptionHook,
    ResumeHook,
    SafeCheckpointHook,
)

__all__ = [
    'CacheFeaturesHook', 'CheckDataHook', 'PreemptionHook', 'ResumeHook',
    'SafeCheckpointHook'
]
