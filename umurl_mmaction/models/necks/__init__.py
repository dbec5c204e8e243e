from .contrastive_projector import ContrastiveProjector
from .modality_projector import ModalityProjector
from .standardizing_projector import StandardizingProjector

__all__ = [
    'ContrastiveProjector', 'ModalityProjector', 'StandardizingProjector'
]
