import json
from typing import Any, Union

from ..fileio.annotations import check_skeleton
from .layout import LAYOUTS, build_layout

# Name of a known layout, or a description; see ``build_layout``.
Skeleton = Union[str, dict[str, Any]]


def read_skeleton(source: str) -> Skeleton:
    """Read the skeleton that a command line names.

    Args:
        source (str): Name of a known layout, or a .json file with
            ``joints``, ``parents`` and, if wanted, ``center``, ``shoulders``
            and ``name``.

    Returns:
        str | dict: What annotations hold as ``skeleton``.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is no skeleton. Names the file.
    """
    if source in LAYOUTS:
        return source
    if not source.endswith('.json'):
        raise ValueError(f'--skeleton must be a .json file or one of '
                         f'{", ".join(sorted(LAYOUTS))}, got {source!r}')
    try:
        with open(source, encoding='utf-8') as file:
            skeleton = json.load(file)
        check_skeleton(skeleton)
        return build_layout(skeleton).to_dict()
    except OSError as error:
        raise type(error)(f'{source}: {error.strerror or error}') from error
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
