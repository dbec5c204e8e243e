"""Checkpoints from strangers: nothing that they hold is run.

torch loads them with ``weights_only=True`` and refuses all but what is on a
list. Here the list gets what MMEngine's own checkpoints need on top of
torch's, MMEngine's downloads are loaded like its files, and a refusal is one
line that says what to do. :func:`apply` does all that; calling it twice is
harmless.
"""
import functools
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import numpy as np
import torch

from .plain_dtypes import PlainDtypes


def apply() -> None:
    """Let MMEngine load its own checkpoints, and nothing that runs code."""
    if _is_restricted():
        _allow_own_checkpoints()
        _restrict_downloads()
    _refuse_in_one_line()


def _is_restricted() -> bool:
    """Whether this torch can refuse all that is not on its list."""
    from mmengine.utils import digit_version
    return digit_version(torch.__version__) >= digit_version('2.6')


# What MMEngine's checkpoints need ----------------------------------------

_STATISTICS = ('min', 'max', 'current', 'mean')
_ANNEALING = ('_annealing_cos', '_annealing_linear')
# Losses are kept as float64; a best score may be any of these.
_NUMPY_DTYPES = ('float64', 'float32', 'int64')
_dtypes = PlainDtypes('f8|f4|i8')


class _ClassName:
    """Stands for a class that a checkpoint names but may not make."""

    def __init__(self, owner: type) -> None:
        self.owner = owner


def _methods() -> dict[type, tuple[str, ...]]:
    """The functions that a checkpoint may name, by their class."""
    from mmengine.logging import HistoryBuffer
    from mmengine.optim.scheduler.param_scheduler import (
        OneCycleParamScheduler,
    )
    from torch.optim.lr_scheduler import OneCycleLR
    return {
        HistoryBuffer: _STATISTICS,
        OneCycleParamScheduler: _ANNEALING,
        # Up to torch 2.0; later ones keep the name of the function.
        OneCycleLR: _ANNEALING,
    }


def _getattr_of_checkpoint(owner: Any, name: Any) -> Callable:
    """All that a checkpoint gets in place of the builtin ``getattr``."""
    if isinstance(owner, _ClassName):
        owner = owner.owner
    for cls, names in _methods().items():
        if owner is cls and name in names:
            return getattr(cls, name)
    owner_name = getattr(owner, '__name__', type(owner).__name__)
    raise pickle.UnpicklingError(
        f'it asks for the attribute {name!r:.60} of {owner_name!r:.60}; only '
        f'{", ".join(_STATISTICS)} of HistoryBuffer and the annealing of '
        'OneCycleLR are allowed; do not use the file')


def _checkpoint_globals() -> list:
    """What an MMEngine checkpoint is pickled with, on top of torch's list.

    The message hub holds ``HistoryBuffer`` objects, which consist of NumPy
    arrays and of their own methods; a one-cycle scheduler holds its
    annealing function. Such functions are pickled as a call of ``getattr``.
    """
    from mmengine.logging import HistoryBuffer

    # Asking a pickle for them works in NumPy 1 and 2; a file of either
    # version may name them as the other one does.
    functions: list[Any] = [
        np.empty(0).__reduce__()[0],
        np.float64(0).__reduce__()[0]
    ]
    return [
        HistoryBuffer,
        *((_ClassName(cls), _global_name(cls)) for cls in _methods()
          if cls is not HistoryBuffer),
        (_getattr_of_checkpoint, 'builtins.getattr'),
        np.ndarray,
        (_dtypes.make, 'numpy.dtype'),
        *{type(np.dtype(name)) for name in _NUMPY_DTYPES},
        *((function, f'{package}.multiarray.{function.__name__}')
          for function in functions
          for package in ('numpy.core', 'numpy._core')),
    ]


def _global_name(entry: Any) -> str:
    """The name under which torch looks up an entry of its safe globals."""
    if isinstance(entry, tuple):
        return entry[1]
    return f'{entry.__module__}.{entry.__qualname__}'


def _allow_own_checkpoints() -> None:
    """Let MMEngine load the checkpoints that it has written itself.

    Symptom: ``UnpicklingError: Weights only load failed`` on testing with
    and resuming from a checkpoint of a training run.
    Versions: mmengine 0.10.7 with torch >= 2.6.
    Remove when mmengine registers these globals or stores plain lists.
    """
    known = {
        _global_name(entry)
        for entry in torch.serialization.get_safe_globals()
    }
    missing = [
        entry for entry in _checkpoint_globals()
        if _global_name(entry) not in known
    ]
    if missing:
        torch.serialization.add_safe_globals(missing)


# Downloads ---------------------------------------------------------------


def _restrict_downloads() -> None:
    """Load checkpoints from the net as those from the disk.

    Symptom: ``load_from='https://...'`` runs what the file asks for: torch
    loads downloads with ``weights_only=False`` unless told otherwise.
    Versions: mmengine 0.10.7.
    Remove when mmengine or torch passes ``weights_only=True``.
    """
    from mmengine.runner import checkpoint
    if not isinstance(checkpoint.load_url, functools.partial):
        checkpoint.load_url = functools.partial(
            checkpoint.load_url, weights_only=True)


# Refusals ----------------------------------------------------------------


def _reason(error: Exception) -> str:
    """What of a file torch does not load, and what to do, in one line."""
    text = str(error)
    if not _is_restricted():
        return f'{type(error).__name__}: {text}'.split('\n')[0]
    found = re.search(r'GLOBAL (\S+) (?:was not|whose module)', text)
    if found and 'is blocked' in text:
        return (f'it asks for {found[1]}, which no weights need and torch '
                'never allows; do not use the file')
    if found:
        return (f'it asks for {found[1]}, which was not run; if you trust the '
                'file, allow that in a module of custom_imports: '
                f'torch.serialization.add_safe_globals([{found[1]}])')
    if isinstance(error, EOFError):
        return 'the file ends too early'
    if 'Unsupported operand' in text:
        return 'it is no file of torch.save'
    # What torch puts around its reason: mostly how to load it all the same.
    text = text.split('\n\nCheck the documentation')[0]
    text = text.rpartition('WeightsUnpickler error:')[2]
    for advice in (getattr(torch.serialization, 'UNSAFE_MESSAGE', ''),
                   'Weights only load failed.'):
        text = text.replace(advice, '') if advice else text
    reason = text.strip().split('\n')[0].strip()
    if isinstance(error, pickle.UnpicklingError):
        return reason
    return f'{type(error).__name__}: {reason}'


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Say in one line why a checkpoint cannot be loaded.

    Args:
        name (str): The file, as the user knows it.

    Raises:
        pickle.UnpicklingError: If it asks for anything beyond weights and
            what MMEngine stores, or is broken.
    """
    _dtypes.forget()
    try:
        yield
        _dtypes.check()
    except (OSError, MemoryError):
        raise
    except Exception as error:  # Any type, depending on the first bytes.
        # The file chose the words: none may move the cursor.
        reason = ''.join(
            c if c.isprintable() else '?' for c in _reason(error))
        raise pickle.UnpicklingError(
            f'{name}: torch cannot load it as weights: {reason}') from None


def _refuse_in_one_line() -> None:
    """Shorten the message of torch where MMEngine loads a checkpoint.

    It fills a screen, does not name the file and proposes
    ``weights_only=False``.
    """
    from mmengine.runner import CheckpointLoader
    load = CheckpointLoader.load_checkpoint.__func__
    if hasattr(load, '__wrapped__'):
        return

    @functools.wraps(load)
    def load_checkpoint(cls: type, filename: str, *args: Any,
                        **kwargs: Any) -> Any:
        _warn_of_old_torch()
        with reading(filename):
            return load(cls, filename, *args, **kwargs)

    CheckpointLoader.load_checkpoint = classmethod(load_checkpoint)


@functools.lru_cache
def _warn_of_old_torch() -> None:
    import logging

    from mmengine.logging import print_log
    if not _is_restricted():
        print_log(
            f'torch {torch.__version__} runs whatever a checkpoint asks for: '
            'load none that you do not trust, or use torch 2.6 or later',
            'current', logging.WARNING)


def load_checkpoint(path: str) -> Any:
    """Load a file of ``torch.save`` to the CPU, and run nothing of it.

    Args:
        path (str): An existing file.

    Returns:
        Any: What it holds.

    Raises:
        pickle.UnpicklingError: If it is no such file or asks for anything
            beyond weights and what MMEngine stores.
    """
    with reading(path):
        return torch.load(path, map_location='cpu', weights_only=True)
