"""UmURL for MMAction2: importing this package registers everything."""
from . import compat

compat.apply()

from . import (  # noqa: E402
    datasets,
    engine,
    evaluation,
    models,
    registry,
    transforms,
)
from .version import __version__  # noqa: E402

__all__ = [
    '__version__', 'compat', 'datasets', 'engine', 'evaluation', 'models',
    'registry', 'transforms'
]
