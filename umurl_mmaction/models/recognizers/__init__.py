from .skeleton_knn import SkeletonKNN

__all__ = ['SkeletonKNN']
