from . import transforms
from .collate import pack_collate
from .skeleton_dataset import SkeletonDataset

__all__ = ['SkeletonDataset', 'pack_collate', 'transforms']
