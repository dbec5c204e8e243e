"""The use of a trained encoder."""
from .clips import ClipPipeline
from .inferencer import UmURLInferencer
from .loading import load_config, load_model
from .search import Moment, MotionSearch
from .windows import Window, WindowDataset

__all__ = [
    'ClipPipeline', 'Moment', 'MotionSearch', 'UmURLInferencer', 'Window',
    'WindowDataset', 'load_config', 'load_model'
]
