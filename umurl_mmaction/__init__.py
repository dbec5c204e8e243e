"""UmURL for MMAction2: importing this package registers everything."""
from . import compat

compat.apply()

from . import datasets, engine, models, registry, transforms  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = [
    '__version__', 'compat', 'datasets', 'engine', 'models', 'registry',
    'transforms'
]
