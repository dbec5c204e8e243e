from .augment import (
    JointCorruption,
    PoseRotation,
    PoseShear,
    TemporalCropResize,
)
from .formatting import PackSkeletonInputs
from .modalities import GenSkeletonModalities
from .normalize import SkeletonPreNormalize, SkeletonPreNormalize2D
from .wrappers import SkeletonMultiView

__all__ = [
    'GenSkeletonModalities', 'JointCorruption', 'PackSkeletonInputs',
    'PoseRotation', 'PoseShear', 'SkeletonMultiView', 'SkeletonPreNormalize',
    'SkeletonPreNormalize2D', 'TemporalCropResize'
]
