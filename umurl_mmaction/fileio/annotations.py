"""Annotation files. Nothing that an untrusted file holds is run.

The suffix tells MMAction2's pickles from the .npz files of
``annotations_npz.py``.
"""
import os
import pickle
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np

from .annotations_npz import read_npz, write_npz
from .atomic import replacing
from .plain import UnknownNameError, check_trusted, load_plain, reason_of


def check_is_there(ann_file: str) -> os.stat_result:
    """Return the status of an annotation file.

    Raises:
        FileNotFoundError: If there is no such file. Says how to make one.
    """
    try:
        return os.stat(ann_file)
    except FileNotFoundError:
        raise FileNotFoundError(
            f'annotation file {ann_file!r} is not there; `mim run '
            'umurl_mmaction make_synthetic data/synthetic.pkl` makes a '
            'procedural set to start with, and tools/data/README.md tells how '
            'each of the others is made') from None


class MissingSplitError(ValueError):
    """An annotation file has no clip in the split that is asked for."""


def load_annotations(path: Union[str, Path],
                     trusted: bool = False,
                     with_arrays: bool = True) -> dict[str, Any]:
    """Load annotations in MMAction2's format.

    Args:
        path (str | Path): A pickle, or an .npz of :func:`save_annotations`.
        trusted (bool): Load whatever a pickle holds, which runs whatever it
            asks for. Defaults to False: plain containers, strings, numbers
            and NumPy arrays only.
        with_arrays (bool): Whether the clips' arrays are needed. If not, an
            .npz is read without them: they have the right shape, and zeros.
            Defaults to True.

    Returns:
        dict: ``split``, name -> names of clips, empty if the file has none;
        ``annotations``, a list of dicts with ``frame_dir``,
        ``total_frames``, ``keypoint`` (M, T, V, C) and more; ``skeleton``,
        the name of a layout or a dict with ``joints`` and ``parents``, and
        ``classes``, a list of names, if the file has them; and any other
        entry of the file.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is broken, has another structure or, unless it is
            trusted, asks for anything else. Names the file. Also if
            ``trusted`` is neither True nor False.
    """
    check_trusted(trusted)
    data: Any
    if str(path).endswith('.npz'):
        try:
            data = read_npz(path, with_arrays)
        except OSError as error:
            raise type(error)(f'{path}: {error.strerror or error}') from error
        except Exception as error:
            raise ValueError(f'{path}: no .npz of annotations: '
                             f'{reason_of(error, path)}') from error
    else:
        try:
            data = load_plain(path, trusted)
        except ValueError as error:
            if not isinstance(error.__cause__, UnknownNameError):
                raise
            raise ValueError(
                f'{error}; if you trust it, trusted=True of the dataset loads '
                'it all the same, and tools/data/convert_annotations.py '
                '--trusted makes a plain file of it') from error
    # Files without splits may be the bare list.
    if isinstance(data, list):
        data = dict(annotations=data)
    try:
        _check(data)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    data.setdefault('split', {})
    return data


def clips_of_split(data: dict[str, Any], split: Optional[str],
                   source: str) -> list[dict[str, Any]]:
    """Return the annotations of a split, in the order of the file.

    Args:
        data (dict): Annotations of :func:`load_annotations`.
        split (str, optional): Name of the split; None for all clips.
        source (str): Their file, for messages.

    Returns:
        list[dict]: One or more; without a split, as many as there are.

    Raises:
        MissingSplitError: If there is no such split, or no clip in it.
    """
    if split is None:
        return data['annotations']
    if split not in data['split']:
        raise MissingSplitError(f'annotation file {source!r} has no split '
                                f'{split!r}, only {sorted(data["split"])}')
    names = set(data['split'][split])
    clips = [x for x in data['annotations'] if x['frame_dir'] in names]
    if not clips:
        raise MissingSplitError(f'split {split!r} of {source!r} has no clip')
    return clips


_WANTED: tuple[tuple[str, Any], ...] = (('frame_dir', str),
                                        ('total_frames', (int, np.integer)),
                                        ('keypoint', np.ndarray))


def _check(data: Any) -> None:
    wanted = "expected MMAction2's annotations, a dict with split and " \
        'annotations'
    if not isinstance(data, dict):
        raise ValueError(f'{wanted}, got {type(data).__name__}')
    for key, kind in (('annotations', list), ('split', dict)):
        if key not in data:
            if key == 'annotations':
                keys = ', '.join(f'{x!r:.30}' for x in list(data)[:5])
                raise ValueError(f'{wanted}, got one with the keys '
                                 f'{keys or "()"}')
        elif not isinstance(data[key], kind):
            raise ValueError(f'{wanted}, got {type(data[key]).__name__} as '
                             f'{key}')
    for name, names in data.get('split', {}).items():
        if not isinstance(names, (list, tuple, set, frozenset, np.ndarray)):
            raise ValueError(f'split {name!r} is of type '
                             f'{type(names).__name__}, not a list of names')
    check_skeleton(data.get('skeleton', ''))
    classes = data.get('classes', [])
    if not isinstance(classes, (list, tuple)) or not all(
            isinstance(name, str) for name in classes):
        raise ValueError(f'classes must be a list of names, got '
                         f'{classes!r:.60}')
    for i, clip in enumerate(data['annotations']):
        if not isinstance(clip, dict):
            raise ValueError(f'annotation {i}: expected a dict, got '
                             f'{type(clip).__name__}')
        for key, kind in _WANTED:
            if not isinstance(clip.get(key), kind):
                _fail(i, clip, key)


# The keys of a skeleton that is a dict, and what each must be.
_SKELETON: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ('joints', 'a list of names', lambda x: _is_list_of(x, str)),
    ('parents', 'a list of integers', lambda x: _is_list_of(x, int)),
    ('center', 'an integer', lambda x: type(x) is int),
    ('shoulders', 'a pair of integers, or None',
     lambda x: x is None or _is_list_of(x, int) and len(x) == 2),
    ('name', 'a string', lambda x: isinstance(x, str)))


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, (list, tuple)) and all(
        type(item) is kind for item in value)


def check_skeleton(skeleton: Any) -> None:
    """Check the types of a skeleton's entries.

    ``Layout``, which this folder does not know, checks that the parents are
    one tree.

    Args:
        skeleton (Any): Wanted are the name of a layout, or a dict with
            ``joints``, ``parents`` and maybe ``center``, ``shoulders`` and
            ``name``.

    Raises:
        ValueError: If it is anything else. Names the key.
    """
    if isinstance(skeleton, str):
        return
    if not isinstance(skeleton, dict):
        raise ValueError('skeleton must be the name of a layout or a dict, '
                         f'got {type(skeleton).__name__}')
    for key in ('joints', 'parents'):
        if key not in skeleton:
            raise ValueError(f'skeleton has no {key}')
    for key, wanted, fits in _SKELETON:
        if key in skeleton and not fits(skeleton[key]):
            raise ValueError(f'{key} of the skeleton must be {wanted}, got '
                             f'{skeleton[key]!r:.60}')
    unknown = sorted(map(str, set(skeleton) - {x[0] for x in _SKELETON}))
    if unknown:
        raise ValueError(f'skeleton has the unknown key {unknown[0]!r:.30}, '
                         f'known are {", ".join(x[0] for x in _SKELETON)}')


def _fail(i: int, clip: dict, key: str) -> None:
    if key not in clip:
        raise ValueError(f'annotation {i}: no {key}')
    raise ValueError(f'annotation {i}: {key} is of type '
                     f'{type(clip[key]).__name__}')


def save_annotations(data: dict[str, Any], path: Path) -> None:
    """Write annotations; ``path`` holds the old file or the whole new one.

    Args:
        data (dict): ``split``, ``annotations`` and more.
        path (Path): File to write, an .npz if that is its suffix, else a
            pickle. Its folder is made if it is missing.

    Raises:
        ValueError: If something does not go into an .npz.
    """
    with replacing(path) as part, open(part, 'wb') as f:
        if path.suffix == '.npz':
            write_npz(data, f)
        else:
            # Fixed: same data, same bytes. Below 5 every array is copied and
            # kept until the end.
            pickle.dump(data, f, protocol=5)
