from .base import SkeletonEncoder
from .dste import DSTE
from .early_fusion_encoder import EarlyFusionEncoder
from .hico_backbone import HiCoBackbone
from .raw_joints import RawJoints
from .umurl_backbone import UmURLBackbone

__all__ = [
    'DSTE', 'EarlyFusionEncoder', 'HiCoBackbone', 'RawJoints',
    'SkeletonEncoder', 'UmURLBackbone'
]
