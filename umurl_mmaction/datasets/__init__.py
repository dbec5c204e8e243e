from . import transforms
from .collate import pack_collate
from .facts import DataFacts, read_facts
from .skeleton_dataset import MissingSplitError, SkeletonDataset

__all__ = [
    'DataFacts', 'MissingSplitError', 'SkeletonDataset', 'pack_collate',
    'read_facts', 'transforms'
]
