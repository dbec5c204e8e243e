from .nearest_neighbor_val_loop import NearestNeighborValLoop

__all__ = ['NearestNeighborValLoop']
