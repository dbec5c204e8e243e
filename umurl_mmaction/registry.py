"""Make the scope ``umurl_mmaction`` known to MMEngine.

The classes of this package are registered in MMAction2's own registries, so
that its configs and tools find them. But a config that inherits by ``_base_ =
'umurl_mmaction::...'`` gets ``_scope_ = 'umurl_mmaction'`` in every dict. To
build such a dict, MMEngine imports ``umurl_mmaction.registry`` and warns if no
registry has that scope. Hence each registry of MMAction2 gets a child of that
scope, which passes every look-up on to MMAction2 and MMEngine. These children
are empty except for the ``AmpOptimWrapper`` of ``engine/optim``, which must
not replace MMEngine's of that name in other configs.
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
    """Use the scope ``mmaction`` unless another one is set.

    A Runner sets the scope of its config. A notebook has none, and MMCV's
    ``Compose`` would not find the transforms of MMAction2.
    """
    current = DefaultScope.get_current_instance()
    unset = current is None or current.scope_name == 'mmengine'
    with DefaultScope.overwrite_default_scope('mmaction' if unset else None):
        yield


def _add_scope(parent: Registry) -> None:
    """Give ``parent`` a child that passes every look-up on to it."""
    # A look-up imports the locations of the child only, hence those of the
    # parent as well; one of them, `mmaction.mmengine`, does not exist.
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
    # The module also holds MMEngine's registries, the parents.
    if (isinstance(_registry, Registry) and _registry.scope == 'mmaction'
            and SCOPE not in _registry.children):
        _add_scope(_registry)

# MMEngine takes `_base_ = 'umurl_mmaction::...'` of the listed packages only.
MODULE2PACKAGE.setdefault(SCOPE, SCOPE)
