"""Using an encoder on whole datasets."""
from .features import encode_dataset

__all__ = ['encode_dataset']
