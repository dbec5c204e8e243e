from .augment import (
    JointCorruption,
    PoseRotation,
    PoseShear,
    TemporalCropResize,
)
from .formatting import PackSkeletonInputs
from .modalities import GenSkeletonModalities
from .normalize import SkeletonPreNormalize
from .wrappers import SkeletonMultiView

__all__ = [
    'GenSkeletonModalities', 'JointCorruption', 'PackSkeletonInputs',
    'PoseRotation', 'PoseShear', 'SkeletonMultiView', 'SkeletonPreNormalize',
    'TemporalCropResize'
]
