"""Using a trained encoder."""
from ..models.utils.encoding import encode_dataset
from ..models.utils.retrieval import nearest_neighbors
from .clips import ClipPipeline
from .inferencer import UmURLInferencer
from .loading import load_config, load_model

__all__ = [
    'ClipPipeline', 'UmURLInferencer', 'encode_dataset', 'load_config',
    'load_model', 'nearest_neighbors'
]
