"""Using a trained encoder."""
from .clips import ClipPipeline
from .features import encode_dataset
from .inferencer import UmURLInferencer
from .loading import load_config, load_model
from .retrieval import nearest_neighbors

__all__ = [
    'ClipPipeline', 'UmURLInferencer', 'encode_dataset', 'load_config',
    'load_model', 'nearest_neighbors'
]
