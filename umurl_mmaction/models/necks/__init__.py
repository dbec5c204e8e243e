from .modality_projector import ModalityProjector

__all__ = ['ModalityProjector']
