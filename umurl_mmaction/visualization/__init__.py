"""Pictures of skeletons, features and results."""
from .animation import save_strips
from .class_names import ClassNames
from .saving import log_figure, save_figure
from .stages import StageSource
from .stick_figure import hide_missing
from .strips import Strip, StripFigure

__all__ = [
    'ClassNames', 'StageSource', 'Strip', 'StripFigure', 'hide_missing',
    'log_figure', 'save_figure', 'save_strips'
]
