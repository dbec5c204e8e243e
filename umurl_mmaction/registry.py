"""Make the scope ``umurl_mmaction`` known to MMEngine.

All parts of this package are registered in MMAction2's own registries, so
that its configs and tools find them without further ado. But MMEngine stamps
``_scope_ = 'umurl_mmaction'`` on everything that a config inherits by
``_base_ = 'umurl_mmaction::...'``. To build such a part it imports
``umurl_mmaction.registry``, looks for a registry of that scope and, if there
is none, warns and falls back. Hence each registry of MMAction2 gets an empty
child of that scope, from which every look-up falls through to MMAction2 and
on to MMEngine. Nothing is to be registered in these children.
"""
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from mmaction import registry as mmaction_registry
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import DefaultScope, Registry

SCOPE = 'umurl_mmaction'


@contextmanager
def mmaction_scope() -> Iterator[None]:
    """Find MMAction2's parts by their names where no scope is set.

    A Runner sets the scope of its config. In a notebook there is none, and
    MMEngine's and MMCV's own ``Compose`` would look among their parts only.
    A scope that the user has set stays.
    """
    current = DefaultScope.get_current_instance()
    unset = current is None or current.scope_name == 'mmengine'
    with DefaultScope.overwrite_default_scope('mmaction' if unset else None):
        yield


def _add_scope(parent: Registry) -> None:
    """Give ``parent`` a child that passes every look-up on to it."""
    # A look-up imports only what the child itself names, hence the places
    # of MMAction2 as well; one of those, `mmaction.mmengine`, does not exist.
    locations = [
        location for location in parent._locations
        if find_spec('.'.join(location.split('.')[:2]))
    ]
    Registry(
        parent.name,
        parent=parent,
        scope=SCOPE,
        locations=[SCOPE, *locations])


for _registry in list(vars(mmaction_registry).values()):
    # The module holds MMEngine's registries too, as parents of its own.
    if (isinstance(_registry, Registry) and _registry.scope == 'mmaction'
            and SCOPE not in _registry.children):
        _add_scope(_registry)

# `_base_ = 'umurl_mmaction::...'` is open to the packages listed here only.
MODULE2PACKAGE.setdefault(SCOPE, SCOPE)
