"""Measures of a representation, with labels and without."""
from .nearest_neighbor_metric import NearestNeighborMetric

__all__ = ['NearestNeighborMetric']
