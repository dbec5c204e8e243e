from .algorithms import UmURL
from .backbones import SkeletonEncoder, UmURLBackbone
from .data_preprocessors import SkeletonDataPreprocessor
from .heads import (
    InterModalConsistencyHead,
    IntraModalConsistencyHead,
    LinearClsHead,
    VarianceCovarianceHead,
)
from .necks import ModalityProjector
from .recognizers import SkeletonKNN

__all__ = [
    'InterModalConsistencyHead', 'IntraModalConsistencyHead', 'LinearClsHead',
    'ModalityProjector', 'SkeletonDataPreprocessor', 'SkeletonEncoder',
    'SkeletonKNN', 'UmURL', 'UmURLBackbone', 'VarianceCovarianceHead'
]
