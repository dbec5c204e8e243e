"""Settings that cannot be, of which MMEngine says nothing.

A misspelt optimizer is ``TypeError: None is not a callable object`` in
MMEngine 0.10.7, ``max_epochs=0`` trains nothing and says nothing, and
``--cfg-options KEY`` is ``not enough values to unpack``. The scripts that this
package runs refuse them in one line; importing it changes nothing.
"""
import functools
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Callable
from unittest.mock import patch


def check_key_values(parser: ArgumentParser, option: str, values: Any) -> None:
    """End the program if a value of ``--cfg-options`` is no KEY=VALUE."""
    for value in [values] if isinstance(values, str) else values or ():
        if '=' not in value:
            parser.error(f'{option} wants KEY=VALUE, got {value!r}')


def _with_known_optimizer(call: Callable) -> Callable:
    """Let an optimizer wrapper's constructor refuse an unknown optimizer."""

    @functools.wraps(call)
    def check_and_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        from mmengine.registry import OPTIMIZERS
        name = self.optimizer_cfg['type']
        with OPTIMIZERS.switch_scope_and_registry(None) as registry:
            if isinstance(name, str) and registry.get(name) is None:
                raise ValueError(f'optimizer {name!r} is unknown; it is a '
                                 'class of torch.optim or a registered one')
        return call(self, *args, **kwargs)

    return check_and_call


def _with_some(steps: str, init: Callable) -> Callable:
    """Let a loop refuse to train for nothing."""

    @functools.wraps(init)
    def init_and_check(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        number = getattr(self, f'_{steps}')
        if number < 1:
            raise ValueError(f'train_cfg.{steps}={number} must be at least 1')

    return init_and_check


def _with_key_value(call: Callable) -> Callable:
    """Let ``--cfg-options`` refuse what has no value."""

    @functools.wraps(call)
    def check_and_call(self: Any, parser: Any, namespace: Any, values: Any,
                       *args: Any, **kwargs: Any) -> None:
        check_key_values(parser, '/'.join(self.option_strings), values)
        call(self, parser, namespace, values, *args, **kwargs)

    return check_and_call


@contextmanager
def refused() -> Iterator[None]:
    """Let MMEngine refuse such settings in the body."""
    from mmengine.config import DictAction
    from mmengine.optim import DefaultOptimWrapperConstructor as Constructor
    from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
    mends: list[tuple[Any, str, Callable]] = [
        (Constructor, '__call__', _with_known_optimizer),
        (DictAction, '__call__', _with_key_value),
        (EpochBasedTrainLoop, '__init__',
         functools.partial(_with_some, 'max_epochs')),
        (IterBasedTrainLoop, '__init__',
         functools.partial(_with_some, 'max_iters')),
    ]
    with ExitStack() as stack:
        for owner, name, mend in mends:
            stack.enter_context(
                patch.object(owner, name, mend(getattr(owner, name))))
        yield
