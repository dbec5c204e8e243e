from .augment import (
    AxisDrop,
    JointCorruption,
    PoseRotation,
    PoseShear,
    TemporalCropResize,
)
from .body import BodyPartMask, JointNoise, LeftRightSwap, LimbScaling
from .formatting import PackSkeletonInputs
from .modalities import GenSkeletonModalities
from .normalize import SkeletonPreNormalize, SkeletonPreNormalize2D
from .wrappers import SkeletonMultiView

__all__ = [
    'AxisDrop', 'BodyPartMask', 'GenSkeletonModalities', 'JointCorruption',
    'JointNoise', 'LeftRightSwap', 'LimbScaling', 'PackSkeletonInputs',
    'PoseRotation', 'PoseShear', 'SkeletonMultiView', 'SkeletonPreNormalize',
    'SkeletonPreNormalize2D', 'TemporalCropResize'
]
