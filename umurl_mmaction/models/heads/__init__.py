from .consistency_heads import (
    InterModalConsistencyHead,
    IntraModalConsistencyHead,
)
from .linear_cls_head import LinearClsHead
from .variance_covariance_head import VarianceCovarianceHead

__all__ = [
    'InterModalConsistencyHead', 'IntraModalConsistencyHead', 'LinearClsHead',
    'VarianceCovarianceHead'
]
