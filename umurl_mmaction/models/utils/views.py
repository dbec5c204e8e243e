from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn


def forward_views(module: nn.Module, views: Sequence[Any]) -> list[Tensor]:
    """Apply a module to several inputs, at once if it knows how.

    Args:
        module (nn.Module): With a method ``forward_views`` where one call for
            all is faster; else each input is a call of its own.
        views (sequence): Inputs of ``module``.

    Returns:
        list[Tensor]: The output for each input.
    """
    at_once = getattr(module, 'forward_views', None)
    if at_once is not None:
        return list(at_once(views))
    return [module(view) for view in views]
