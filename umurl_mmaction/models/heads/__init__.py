from .barlow_twins_head import BarlowTwinsHead
from .consistency_heads import (
    InstanceConsistencyHead,
    InterModalConsistencyHead,
    IntraModalConsistencyHead,
)
from .contrastive_head import ContrastiveHead
from .linear_cls_head import LinearClsHead
from .queue_heads import (
    NearestNeighborContrastHead,
    QueueContrastHead,
    RelationConsistencyHead,
)
from .variance_covariance_head import VarianceCovarianceHead

__all__ = [
    'BarlowTwinsHead', 'ContrastiveHead', 'InstanceConsistencyHead',
    'InterModalConsistencyHead', 'IntraModalConsistencyHead', 'LinearClsHead',
    'NearestNeighborContrastHead', 'QueueContrastHead',
    'RelationConsistencyHead', 'VarianceCovarianceHead'
]
