"""What to say of a file that is refused."""
import os
import sys
from _compat_pickle import IMPORT_MAPPING
from pathlib import Path

# Python 3.9 has no list of its own.
_STANDARD = frozenset(
    getattr(sys, 'stdlib_module_names', None) or
    (path.stem for path in Path(os.__file__).parent.iterdir()))
# The standard library's modules of values.
_OF_VALUES = ('collections', 'datetime', 'decimal', 'fractions', 'ipaddress',
              'pathlib', 'uuid', 'zoneinfo')
DO_NOT_USE = ('which no data need and which can run anything; do not use the '
              'file')


def may_be_data(module: str, name: str) -> bool:
    """Tell whether honest data may ask for a name.

    Classes hold data. Functions, ``eval``, ``Popen`` and what else runs
    something do not, and no file that asks for them is to be trusted.

    Args:
        module (str): The module, as Python 2 or 3 calls it; '' for builtins.
        name (str): The name in it.
    """
    root = module.partition('.')[0]
    if root in _OF_VALUES:
        return '.' not in name
    if root in _STANDARD or root in IMPORT_MAPPING or root[:1] in ('', '_'):
        return False
    return name.rpartition('.')[2].lstrip('_')[:1].isupper()


def printable(text: str) -> str:
    """Replace control characters and line ends: the file chose the words."""
    return ''.join(c if c.isprintable() else '?' for c in text)
