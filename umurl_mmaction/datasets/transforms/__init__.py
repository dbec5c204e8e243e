from .augment import JointCorruption, PoseShear, TemporalCropResize
from .formatting import PackSkeletonInputs
from .modalities import GenSkeletonModalities
from .normalize import SkeletonPreNormalize
from .wrappers import SkeletonMultiView

__all__ = [
    'GenSkeletonModalities', 'JointCorruption', 'PackSkeletonInputs',
    'PoseShear', 'SkeletonMultiView', 'SkeletonPreNormalize',
    'TemporalCropResize'
]
