"""Using a trained encoder."""
from .clips import clip_pipeline
from .features import encode_dataset
from .inferencer import UmURLInferencer
from .loading import load_config, load_model

__all__ = [
    'UmURLInferencer', 'clip_pipeline', 'encode_dataset', 'load_config',
    'load_model'
]
