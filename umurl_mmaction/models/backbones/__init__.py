from .base import SkeletonEncoder
from .raw_joints import RawJoints
from .umurl_backbone import UmURLBackbone

__all__ = ['RawJoints', 'SkeletonEncoder', 'UmURLBackbone']
