from .features import encode_dataset
from .retrieval import nearest_neighbors

__all__ = ['encode_dataset', 'nearest_neighbors']
