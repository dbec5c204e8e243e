from .contrastive_projector import ContrastiveProjector
from .modality_projector import ModalityProjector

__all__ = ['ContrastiveProjector', 'ModalityProjector']
