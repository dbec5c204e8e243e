from .nearest_neighbor_val_loop import NearestNeighborValLoop
from .passes_train_loop import PassesTrainLoop

__all__ = ['NearestNeighborValLoop', 'PassesTrainLoop']
