from .consistency_heads import (
    InterModalConsistencyHead,
    IntraModalConsistencyHead,
)
from .contrastive_head import ContrastiveHead
from .linear_cls_head import LinearClsHead
from .variance_covariance_head import VarianceCovarianceHead

__all__ = [
    'ContrastiveHead', 'InterModalConsistencyHead',
    'IntraModalConsistencyHead', 'LinearClsHead', 'VarianceCovarianceHead'
]
