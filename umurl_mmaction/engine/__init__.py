from . import hooks, loops, optim, resume

__all__ = ['hooks', 'loops', 'optim', 'resume']
