"""The use of a trained encoder."""
from .clips import ClipPipeline
from .inferencer import UmURLInferencer
from .loading import load_config, load_model

__all__ = ['ClipPipeline', 'UmURLInferencer', 'load_config', 'load_model']
