from .skeleton_dataset import SkeletonDataset

__all__ = ['SkeletonDataset']
