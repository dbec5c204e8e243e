from .base import SkeletonEncoder
from .dste import DSTE
from .early_fusion_encoder import EarlyFusionEncoder
from .raw_joints import RawJoints
from .umurl_backbone import UmURLBackbone

__all__ = [
    'DSTE', 'EarlyFusionEncoder', 'RawJoints', 'SkeletonEncoder',
    'UmURLBackbone'
]
