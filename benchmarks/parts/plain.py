"""The baseline: the plain implementation that the tests compare with."""
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / 'tests' / 'reference'


@lru_cache
def plain(name: str) -> Any:
    """Import a module of ``tests/reference``, which no package installs.

    Args:
        name (str): ``'model'`` or ``'augment'``.

    Returns:
        module: The module.

    Raises:
        FileNotFoundError: If this is no checkout of the repository.
    """
    path = FOLDER / f'{name}.py'
    if not path.is_file():
        raise FileNotFoundError(
            f'the baseline {path} is not there: run benchmark.py in a '
            'checkout of the repository')
    spec = importlib.util.spec_from_file_location(f'plain_{name}', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
