"""What was done to clips before an encoder learned from them.

An encoder that gets clips of another preparation gives features that mean
little, and no shape tells. So the settings of ``prepare`` are part of a set's
``metainfo``, which checkpoints hold.
"""
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Optional

from mmaction.registry import TRANSFORMS

_PLAIN = (str, int, float, bool, type(None))


def plain_steps(steps: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the configs of transforms as plain data.

    Args:
        steps (list): Configs, or transforms, of which only the name is kept.
    """
    return [
        _plain(step) if isinstance(step, Mapping) else dict(
            type=type(step).__name__) for step in steps
    ]


def find_difference(meta: Any, steps: Any) -> Optional[str]:
    """Say how an encoder's clips were prepared, and how these are.

    The layout says what the data are, not what becomes of them, and is not
    compared, nor is a setting at its default.

    Args:
        meta (Any): ``dataset_meta`` of a checkpoint, of whatever origin.
        steps (Any): ``prepare`` of the clips at hand.

    Returns:
        str | None: One line; None if both are the same, or one is not known.
    """
    before: Any = meta.get('prepare') if isinstance(meta, Mapping) else None
    if not (_are_steps(before) and _are_steps(steps)):
        return None
    learned, given = _say(before), _say(plain_steps(steps))
    if learned == given:
        return None
    return (f'its encoder learned from clips prepared by {learned}, but these '
            f'are prepared by {given}: give both the same `prepare`, unless '
            'the data differ in just that')


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    return value if isinstance(value, _PLAIN) else str(value)


def _are_steps(steps: Any) -> bool:
    return isinstance(steps, Sequence) and all(
        isinstance(step, Mapping) and isinstance(step.get('type'), str)
        for step in steps)


def _say(steps: Sequence[Mapping[str, Any]]) -> str:
    calls = []
    for step in steps:
        transform = TRANSFORMS.get(step['type'])
        known = signature(transform).parameters if transform else {}
        settings = [
            f'{key}={value!r}' for key, value in sorted(step.items())
            if key not in ('type', 'layout')
            and not (key in known and known[key].default == value)
        ]
        calls.append(f'{step["type"]}({", ".join(settings)})')
    return ', '.join(calls) or 'nothing'
