"""What others print that tells a user nothing, left out by name.

A warning that is not named here, of this or another package, is shown.
"""
import logging
import warnings

# mmcv-lite lacks an operator that no skeleton model uses; MMEngine and MIM
# look up packages with a module that setuptools will remove, and MMEngine
# scales losses with a class that torch has renamed; and configs are for
# machines with and without an accelerator.
_WARNINGS = (
    r'Fail to import ``MultiScaleDeformableAttention``',
    r'pkg_resources is deprecated',
    r'`torch\.cuda\.amp\.GradScaler\(args\.\.\.\)` is deprecated',
    r"'pin_memory' argument is set as true but no accelerator",
)

# MMEngine's own calls of what it has renamed, a metric without a number, and
# lists of many lines for those who write hooks.
_LINES = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'The prefix is not set in metric class DumpResults',
    'Hooks will be executed in the following order',
    'The previous best checkpoint',
)


def silence_warnings() -> None:
    """Ignore harmless warnings of other packages from now on."""
    for text in _WARNINGS:
        warnings.filterwarnings('ignore', text)


def _tells_something(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_LINES)


def shorten_terminal(logger: logging.Logger) -> None:
    """Leave such lines of MMEngine off the terminal; a log file has them."""
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(_tells_something)
