"""Untrusted checkpoints: loading one never runs code from the file.

:func:`apply` makes MMEngine load every checkpoint, be it a file or a download,
in this way: ``checkpoint_sizes.py`` looks whether its sizes can be true, then
torch loads it with ``weights_only=True`` and refuses every name that is not on
its list. For the time of a load, the names in MMEngine's own checkpoints are
on that list. A refusal is one line. :func:`load_checkpoint` is the loader of
this package.
"""
import functools
import pickle
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np
import torch

from .advice import DO_NOT_USE, may_be_data, printable
from .array_parts import ArrayParts, DtypeParts, reconstruct, scalar
from .checkpoint_sizes import check_sizes
from .downloads import fetch
from .pickle_instructions import fail
from .pickle_reader import Parts


def apply() -> None:
    """Let MMEngine load its own checkpoints, and nothing that runs code.

    A second call changes nothing.
    """
    from mmengine.runner import CheckpointLoader, Runner
    load = CheckpointLoader.load_checkpoint.__func__
    if hasattr(load, '__wrapped__'):
        return

    @functools.wraps(load)
    def load_checkpoint(cls: type, filename: str, *args: Any,
                        **kwargs: Any) -> Any:
        if not _is_restricted():
            _warn_of_old_torch()
            with reading(filename), _own_downloads():
                return load(cls, filename, *args, **kwargs)
        with reading(filename), _own_downloads(), _restricted():
            return load(cls, filename, *args, **kwargs)

    CheckpointLoader.load_checkpoint = classmethod(load_checkpoint)
    Runner.load_checkpoint = _without_config(Runner.load_checkpoint)


def _without_config(load: Callable) -> Callable:
    """Let ``Runner.load_checkpoint`` forget the config of the training.

    MMEngine 0.10.7 runs its text as Python when it resumes, to compare the
    ``gpu_ids`` of old files. The file keeps it.
    """

    @functools.wraps(load)
    def load_checkpoint(self: Any, *args: Any, **kwargs: Any) -> Any:
        checkpoint = load(self, *args, **kwargs)
        if isinstance(checkpoint.get('meta'), dict):
            checkpoint['meta'].pop('config', None)
        return checkpoint

    return load_checkpoint


def _is_restricted() -> bool:
    """Return whether this torch refuses every name off its list."""
    from mmengine.utils import digit_version
    return digit_version(torch.__version__) >= digit_version('2.6')


# The restricted load ------------------------------------------------------

_lock = threading.RLock()


@contextmanager
def _restricted() -> Iterator[None]:
    """Replace ``torch.load`` while MMEngine loads a checkpoint.

    MMEngine leaves ``weights_only`` to torch, whose default an environment
    variable switches off, and sets it to False for downloads.
    """
    with _lock:
        load = torch.load
        before = torch.serialization.get_safe_globals()
        own = {_global_name(entry): entry for entry in _checkpoint_globals()}

        @functools.wraps(load)
        def restricted(f: Any, *args: Any, **kwargs: Any) -> Any:
            check_sizes(f)
            kwargs['weights_only'] = True
            return _finish_arrays(load(f, *args, **kwargs))

        _set_safe_globals([
            *own.values(),
            *(entry for entry in before if _global_name(entry) not in own)
        ])
        torch.load = restricted
        try:
            yield
        finally:
            torch.load = load
            _set_safe_globals(before)


@contextmanager
def _own_downloads() -> Iterator[None]:
    """Replace ``load_url`` while MMEngine loads a checkpoint."""
    from mmengine.runner import checkpoint as module

    def load_url(url: str,
                 model_dir: Optional[str] = None,
                 map_location: Any = None,
                 **kwargs: Any) -> Any:
        return torch.load(fetch(url, model_dir), map_location=map_location)

    with _lock:
        stock = module.load_url
        module.load_url = load_url
        try:
            yield
        finally:
            module.load_url = stock


def _set_safe_globals(entries: list) -> None:
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(entries)


def _finish_arrays(data: Any) -> Any:
    """Put arrays in the place of their parts.

    Args:
        data (Any): What torch has loaded. What it holds is changed.
    """
    # The old and the new, so that no other object gets the number of the old.
    seen: dict[int, tuple[Any, Any]] = {}

    def finish(value: Any) -> Any:
        if isinstance(value, Parts):
            if not hasattr(value, 'done'):
                fail('it has an array or a dtype without content')
            return value.done
        if type(value) in _SINGLE:
            return value
        if id(value) in seen:
            return seen[id(value)][1]
        seen[id(value)] = value, value
        if type(value) is tuple:
            done = tuple(map(finish, value))
            if any(new is not old for new, old in zip(done, value)):
                seen[id(value)] = value, done
        elif type(value) is list:
            value[:] = map(finish, value)
        elif isinstance(value, dict):
            for key in value:
                value[key] = finish(value[key])
        # Of an object such as a history; that of a class is none of the file.
        attributes = getattr(value, '__dict__', None)
        if type(attributes) is dict:
            for key in attributes:
                attributes[key] = finish(attributes[key])
        return seen[id(value)][1]

    return finish(data)


_SINGLE = frozenset([str, int, float, bool, bytes, type(None)])

# Names in MMEngine's checkpoints ------------------------------------------

_STATISTICS = ('min', 'max', 'current', 'mean')
_ANNEALING = ('_annealing_cos', '_annealing_linear')


class _Dtype(DtypeParts):
    """The dtypes of losses, float64, and of what may be a best score."""
    __slots__ = ()
    codes = re.compile('f8|f4|i8')


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
    # A file of NumPy 1 or 2 may use the names of the other one.
    return [
        HistoryBuffer,
        *((_ClassName(cls), _global_name(cls)) for cls in _methods()
          if cls is not HistoryBuffer),
        (_getattr_of_checkpoint, 'builtins.getattr'),
        (_ClassName(np.ndarray), 'numpy.ndarray'),
        (_Dtype, 'numpy.dtype'),
        # torch gives a state to objects of what is listed.
        ArrayParts,
        *((function, f'{package}.multiarray.{name}')
          for name, function in (('_reconstruct', reconstruct),
                                 ('scalar', scalar))
          for package in ('numpy.core', 'numpy._core')),
    ]


def _global_name(entry: Any) -> str:
    """Return the name by which torch looks up a safe global."""
    if isinstance(entry, tuple):
        return entry[1]
    return f'{entry.__module__}.{entry.__qualname__}'


# Refusals ----------------------------------------------------------------


def _reason(error: Exception) -> str:
    """Say in one line what torch refuses to load, and what to do."""
    text = str(error)
    if not _is_restricted():
        return f'{type(error).__name__}: {text}'.split('\n')[0]
    found = re.search(r'GLOBAL (\S+) (?:was not|whose module)', text)
    if found:
        module, _, name = found[1].rpartition('.')
        if not may_be_data(module, name):
            return f'it asks for {found[1]}, {DO_NOT_USE}'
        return (f'it asks for {found[1]}, which was not run; if you trust the '
                'file, allow that in a module of custom_imports: '
                f'torch.serialization.add_safe_globals([{found[1]}])')
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
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # The type depends on the first bytes.
        raise pickle.UnpicklingError(
            f'{name}: torch cannot load it as weights: '
            f'{printable(_reason(error))}') from None


@functools.lru_cache
def _warn_of_old_torch() -> None:
    import logging

    from mmengine.logging import print_log
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


def weights_of(checkpoint: Any, name: Union[str, Path]) -> dict[str, Any]:
    """Return the weights of a checkpoint.

    Args:
        checkpoint (Any): What a file held.
        name (str | Path): The file, for the message.

    Returns:
        dict[str, Tensor]: ``state_dict`` if there is one, else the whole.

    Raises:
        ValueError: If they are no tensors by name, or ``meta`` is no dict.
    """
    weights = checkpoint
    if isinstance(checkpoint, dict):
        weights = checkpoint.get('state_dict', checkpoint)
    if not (isinstance(weights, dict)
            and all(isinstance(key, str) and isinstance(value, torch.Tensor)
                    for key, value in weights.items())):
        raise ValueError(f'{name} is no checkpoint: it has no weights by name')
    meta = checkpoint.get('meta') or {}
    if not isinstance(meta, dict) or not isinstance(
            meta.get('dataset_meta') or {}, dict):
        raise ValueError(f'{name} is no checkpoint: its meta is no dict')
    return weights
