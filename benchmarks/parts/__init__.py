"""The parts that ``benchmark.py`` measures."""
from importlib import import_module
from typing import Any

# The module of each part. A function with the name of the part maps
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
        settings (Settings): The settings of the run.

    Returns:
        list[Row]: The results.
    """
    module = import_module(f'{__name__}.{PARTS[part]}')
    return getattr(module, part)(settings)
