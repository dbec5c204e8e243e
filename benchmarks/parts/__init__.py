"""What ``benchmark.py`` measures."""
from importlib import import_module
from typing import Any

# Of each part its module; the function there has the part's name and maps
# ``Settings`` to a list of ``Row``.
PARTS = dict(
    data='making_views',
    forward='training',
    step='training',
    memory='training',
    probe='evaluation',
    retrieval='evaluation',
    loader='loading',
    loop='loading')


def measure(part: str, settings: Any) -> list:
    """Run a part.

    Args:
        part (str): A key of ``PARTS``.
        settings (Settings): What to run it with.

    Returns:
        list[Row]: What was measured.
    """
    module = import_module(f'{__name__}.{PARTS[part]}')
    return getattr(module, part)(settings)
