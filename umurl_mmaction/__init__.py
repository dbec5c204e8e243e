"""UmURL for MMAction2: importing this package registers everything."""
import warnings

from . import compat
from .fileio import checkpoints
from .version import __version__

compat.apply()
checkpoints.apply()

with warnings.catch_warnings():
    # mmcv-lite lacks an operator that no skeleton model uses.
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeform')
    from . import datasets, engine, evaluation, models, registry

__all__ = [
    '__version__', 'compat', 'datasets', 'engine', 'evaluation', 'models',
    'registry'
]
