from .base import SkeletonPretraining
from .online_target import OnlineTarget
from .umurl import UmURL

__all__ = ['OnlineTarget', 'SkeletonPretraining', 'UmURL']
