"""Untrusted checkpoints: loading one never runs code from the file.

torch loads checkpoints with ``weights_only=True`` and refuses every name that
is not on its list. :func:`apply` adds the names in MMEngine's own checkpoints
to the list, loads MMEngine's downloads in the same way as files, and turns a
refusal into one line. :func:`load_checkpoint` is the loader of this package.
"""
import functools
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Union

import numpy as np
import torch

from .plain_dtypes import PlainDtypes


def apply() -> None:
    """Let MMEngine load its own checkpoints, and nothing that runs code.

    A second call changes nothing.
    """
    if _is_restricted():
        _allow_own_checkpoints()
        _restrict_downloads()
    _refuse_in_one_line()


def _is_restricted() -> bool:
    """Return whether this torch refuses every name off its list."""
    from mmengine.utils import digit_version
    return digit_version(torch.__version__) >= digit_version('2.6')


# Names in MMEngine's checkpoints ------------------------------------------

_STATISTICS = ('min', 'max', 'current', 'mean')
_ANNEALING = ('_annealing_cos', '_annealing_linear')
# MMEngine keeps losses as float64; a best score may be any of these.
_NUMPY_DTYPES = ('float64', 'float32', 'int64')
_dtypes = PlainDtypes('f8|f4|i8')


class _ClassName:
    """Stand for a class that a checkpoint may name but not construct."""

    def __init__(self, owner: type) -> None:
        self.owner = owner


def _methods() -> dict[type, tuple[str, ...]]:
    """Return the functions that a checkpoint may name, by class."""
    from mmengine.logging import HistoryBuffer
    from mmengine.optim.scheduler.param_scheduler import (
        OneCycleParamScheduler,
    )
    from torch.optim.lr_scheduler import OneCycleLR
    return {
        HistoryBuffer: _STATISTICS,
        OneCycleParamScheduler: _ANNEALING,
        # torch up to 2.0 needs this; later ones keep the function's name.
        OneCycleLR: _ANNEALING,
    }


def _getattr_of_checkpoint(owner: Any, name: Any) -> Callable:
    """Stand in for ``getattr``, and give only the functions above."""
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
    """Return the names in MMEngine's checkpoints that torch does not list.

    The message hub holds ``HistoryBuffer`` objects, which consist of NumPy
    arrays and of their own methods. A one-cycle scheduler holds its annealing
    function. pickle stores such a function as a call of ``getattr``.
    """
    from mmengine.logging import HistoryBuffer

    # Taking the functions from a pickle works in NumPy 1 and 2. A file of
    # either version may use the names of the other one.
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
    """Return the name by which torch looks up a safe global."""
    if isinstance(entry, tuple):
        return entry[1]
    return f'{entry.__module__}.{entry.__qualname__}'


def _allow_own_checkpoints() -> None:
    """Let MMEngine load the checkpoints that MMEngine has written.

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
    """Load checkpoints from the net in the same way as files.

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
    """Say in one line what torch refuses to load, and what to do."""
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
    # torch surrounds its reason with advice on how to load the file anyway.
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
    """Turn an error of the body into one line about the checkpoint ``name``.

    Raises:
        pickle.UnpicklingError: If the file is broken, or asks for anything
            beyond weights and what MMEngine stores.
    """
    _dtypes.forget()
    try:
        yield
        _dtypes.check()
    except (OSError, MemoryError):
        raise
    except Exception as error:  # The type depends on the first bytes.
        # The file chose the words, so control characters are replaced.
        reason = ''.join(
            c if c.isprintable() else '?' for c in _reason(error))
        raise pickle.UnpicklingError(
            f'{name}: torch cannot load it as weights: {reason}') from None


def _refuse_in_one_line() -> None:
    """Shorten torch's message wherever MMEngine loads a checkpoint.

    The message fills a screen, does not name the file and proposes
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


def load_checkpoint(path: Union[str, Path]) -> Any:
    """Load a checkpoint to the CPU without running code from the file.

    Args:
        path (str | Path): A path, or a URL that MMEngine knows.

    Returns:
        Any: The content of the file; a dict for checkpoints of MMEngine and
        of the paper's code.

    Raises:
        OSError: If the file is not there or cannot be read.
        ValueError: If the file is broken, or asks for anything beyond weights
            and what MMEngine stores.
    """
    from mmengine.runner import CheckpointLoader
    try:
        return CheckpointLoader.load_checkpoint(
            str(path), map_location='cpu', logger='silent')
    except pickle.UnpicklingError as error:
        raise ValueError(str(error)) from None
