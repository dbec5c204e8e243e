"""UmURL for MMAction2: importing this package registers everything."""
from .noise import silence_warnings

silence_warnings()

from . import compat  # noqa: E402
from .fileio import checkpoints  # noqa: E402
from .version import __version__  # noqa: E402

compat.apply()
checkpoints.apply()

from . import datasets, engine, evaluation, models, registry  # noqa: E402

__all__ = [
    '__version__', 'compat', 'datasets', 'engine', 'evaluation', 'models',
    'registry'
]
