from .base import SkeletonEncoder
from .umurl_backbone import UmURLBackbone

__all__ = ['SkeletonEncoder', 'UmURLBackbone']
