from .preemption_hook import PreemptionHook
from .resume_hook import ResumeHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['PreemptionHook', 'ResumeHook', 'SafeCheckpointHook']
