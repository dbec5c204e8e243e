from .cache_features_hook import CacheFeaturesHook
from .check_data_hook import CheckDataHook
from .preemption_hook import PreemptionHook
from .resume_hook import ResumeHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'CacheFeaturesHook', 'CheckDataHook', 'PreemptionHook', 'ResumeHook',
    'SafeCheckpointHook'
]
