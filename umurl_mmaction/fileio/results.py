"""Predictions of a test run, as ``mim test --dump`` pickles them."""
import io
import math
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any, Union

import torch

from .checkpoint_sizes import check_sizes
from .nesting import check_nesting
from .pickle_instructions import fail
from .pickle_reader import Callee, PickleReader
from .plain import find_plain, reading_plain


def _storage(data: Any) -> Any:
    """Load the values of a tensor, a file of torch within the pickle."""
    if type(data) is not bytes:
        fail(f'it has values in a {type(data).__name__}')
    check_sizes(io.BytesIO(data))
    storage = torch.load(
        io.BytesIO(data), map_location='cpu', weights_only=True)
    if not isinstance(storage, torch.storage.TypedStorage):
        fail(f'it has values in a {type(storage).__name__}')
    return storage


def _tensor(storage: Any, offset: Any, size: Any, stride: Any,
            *_: Any) -> torch.Tensor:
    """Make a tensor that keeps neither gradients nor hooks."""
    if not isinstance(storage, torch.storage.TypedStorage) or any(
            type(n) is not int or n < 0 for n in (offset, *size, *stride)
    ) or len(size) != len(stride):
        fail('it has a tensor of no known shape')
    # The size of the bytes: torch warns of all that asks a TypedStorage.
    bytes_each = torch.empty(0, dtype=storage.dtype).element_size()
    num_values = storage._untyped_storage.nbytes() // bytes_each
    # torch would enlarge the storage up to the last value.
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if math.prod(size) > num_values or (math.prod(size)
                                        and last >= num_values):
        fail(f'it has a tensor of the shape {size!r:.60} made of '
             f'{num_values} values')
    return torch._utils._rebuild_tensor_v2(
        storage, offset, size, stride, False, OrderedDict())


_TENSOR_NAMES = {
    ('torch.storage', '_load_from_bytes'): Callee(_storage),
    ('torch._utils', '_rebuild_tensor_v2'): Callee(_tensor),
}


def _find(module: str, name: str) -> Any:
    return _TENSOR_NAMES.get((module, name)) or find_plain(module, name)


def load_results(path: Union[str, Path]) -> Any:
    """Load a pickle that holds plain data and tensors.

    Args:
        path (str | Path): The file.

    Returns:
        Any: What it holds. The tensors are on the CPU.

    Raises:
        OSError: If there is no such file.
        ValueError: If it holds something else or is broken.
    """
    with reading_plain(path) as f:
        size = os.fstat(f.fileno()).st_size
        data = PickleReader(f, size, _find).load()
        check_nesting(data, size, torch.Tensor)
        return data
