from . import hooks, optim, resume

__all__ = ['hooks', 'optim', 'resume']
