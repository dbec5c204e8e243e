from .algorithms import OnlineTarget, SkeletonPretraining, UmURL
from .backbones import (
    DSTE,
    EarlyFusionEncoder,
    HiCoBackbone,
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
    NearestNeighborContrastHead,
    QueueContrastHead,
    RelationConsistencyHead,
    VarianceCovarianceHead,
)
from .layers.clip_mixing import ClipMixing
from .necks import (
    ContrastiveProjector,
    ModalityProjector,
    StandardizingProjector,
)
from .recognizers import SkeletonKNN

__all__ = [
    'BarlowTwinsHead', 'ClipMixing', 'ContrastiveHead', 'ContrastiveProjector',
    'DSTE', 'EarlyFusionEncoder', 'HiCoBackbone', 'InstanceConsistencyHead',
    'InterModalConsistencyHead', 'IntraModalConsistencyHead', 'LinearClsHead',
    'ModalityProjector', 'NearestNeighborContrastHead', 'OnlineTarget',
    'QueueContrastHead', 'RawJoints', 'RelationConsistencyHead',
    'SkeletonDataPreprocessor', 'SkeletonEncoder', 'SkeletonKNN',
    'SkeletonPretraining', 'StandardizingProjector', 'UmURL', 'UmURLBackbone',
    'VarianceCovarianceHead'
]
