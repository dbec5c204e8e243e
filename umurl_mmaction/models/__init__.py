from .algorithms import UmURL
from .backbones import (
    DSTE,
    EarlyFusionEncoder,
    RawJoints,
    SkeletonEncoder,
    UmURLBackbone,
)
from .data_preprocessors import SkeletonDataPreprocessor
from .heads import (
    BarlowTwinsHead,
    ContrastiveHead,
    InstanceConsistencyHead,
    InterModalConsistencyHead,
    IntraModalConsistencyHead,
    LinearClsHead,
    VarianceCovarianceHead,
)
from .necks import ModalityProjector
from .recognizers import SkeletonKNN

__all__ = [
    'BarlowTwinsHead', 'ContrastiveHead', 'DSTE', 'EarlyFusionEncoder',
    'InstanceConsistencyHead', 'InterModalConsistencyHead',
    'IntraModalConsistencyHead', 'LinearClsHead', 'ModalityProjector',
    'RawJoints', 'SkeletonDataPreprocessor', 'SkeletonEncoder', 'SkeletonKNN',
    'UmURL', 'UmURLBackbone', 'VarianceCovarianceHead'
]
