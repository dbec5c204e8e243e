"""Measures of a representation, with labels and without."""
from .collapse import agreement, dead_share, effective_rank, mean_std
from .nearest_neighbor_metric import NearestNeighborMetric

__all__ = [
    'NearestNeighborMetric', 'agreement', 'dead_share', 'effective_rank',
    'mean_std'
]
