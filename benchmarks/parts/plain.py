"""The baseline: the plain implementation that the tests compare with."""
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[2] / 'tests'


def plain(name: str) -> Any:
    """Import ``tests/reference/NAME.py``, which no package installs.

    Raises:
        FileNotFoundError: If this is no checkout of the repository.
    """
    path = TESTS / 'reference' / f'{name}.py'
    if not path.is_file():
        raise FileNotFoundError(
            f'the baseline {path} is not there: run benchmark.py in a '
            'checkout of the repository')
    if str(TESTS) not in sys.path:
        sys.path.append(str(TESTS))
    return import_module(f'reference.{name}')
