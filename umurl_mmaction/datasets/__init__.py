from . import transforms
from .collate import pack_collate
from .facts import DataFacts, read_facts
from .skeleton_dataset import SkeletonDataset

__all__ = [
    'DataFacts', 'SkeletonDataset', 'pack_collate', 'read_facts', 'transforms'
]
