"""Convert UTKinect-Action3D to an MMAction2 pickle.

Reads actionLabel.txt and the folder joints, a file a recording:
joints_s01_e01.txt. A clip is cut at each action.
"""
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np
from converter_arguments import run_set_converter

if TYPE_CHECKING:
    from umurl_mmaction.converters.clip_collector import ClipCollector

CLASSES = [
    'walk', 'sitDown', 'standUp', 'pickUp', 'carry', 'throw', 'push', 'pull',
    'waveHands', 'clapHands'
]
NAME = r'joints_(s([0-9]+)_e[0-9]+)\.txt'
NUM_JOINTS = 20


class Span(NamedTuple):
    """The frames of an action, by their numbers; ``end`` belongs to it."""
    path: Path
    start: int
    end: int


@functools.lru_cache(maxsize=2)
def read_recording(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the numbers of the frames, (T, ), and joints, (T, 20, 3).

    A line has the number of its frame, and x, y and z of each joint.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    # Imported late, as below: --help is to be quick.
    from umurl_mmaction.converters.recordings import read_numbers
    values = read_numbers(path, 1 + NUM_JOINTS * 3)
    joints = values[:, 1:].reshape(-1, NUM_JOINTS, 3).astype(np.float32)
    return values[:, 0], joints


def read_clip(span: Span) -> tuple[np.ndarray, str]:
    """Read the frames of an action, (1, T, 20, 3).

    Raises:
        ValueError: If the file is malformed, or none of them is in it.
    """
    numbers, joints = read_recording(span.path)
    inside = np.flatnonzero((numbers >= span.start) & (numbers <= span.end))
    # Some frames are there twice.
    _, first = np.unique(numbers[inside], return_index=True)
    if not len(first):
        raise ValueError(f'{span.path}: no frame from {span.start} to '
                         f'{span.end}')
    twice = len(inside) - len(first)
    return joints[inside[np.sort(first)]][None], (
        'frames that are there twice are kept once' if twice else '')


def read_labels(path: Path) -> dict[str, dict[str, Optional[tuple[int, int]]]]:
    """Read which frames each action takes.

    Args:
        path (Path): A text file: the name of a recording, then a line for
            each action, ``walk: 252 390``.

    Returns:
        dict: recording -> action -> start and end; None for NaN.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    from umurl_mmaction.fileio.text import at
    labels: dict[str, dict[str, Optional[tuple[int, int]]]] = {}
    recording = None
    with at(str(path)):
        lines = path.read_bytes().decode('utf-8', 'replace').splitlines()
        for number, line in enumerate(lines, 1):
            action = re.fullmatch(r'(\w+):\s*(\d+|NaN)\s+(\d+|NaN)',
                                  line.strip())
            if re.fullmatch(r's\d+_e\d+', line.strip()):
                recording = line.strip()
                labels[recording] = {}
            elif recording is None or action is None and line.strip():
                raise ValueError(f'line {number}: expected a recording such '
                                 'as s01_e01, or an action and its frames '
                                 f'below it, got {line[:40]!r}')
            elif action is not None:
                name, *ends = action.groups()
                if name not in CLASSES:
                    raise ValueError(f'line {number}: expected one of '
                                     f'{", ".join(CLASSES)}, got {name!r}')
                labels[recording][name] = None if 'NaN' in ends else (
                    int(ends[0]), int(ends[1]))
    return labels


def convert(folder: Path, num_workers: int,
            skip_errors: bool) -> 'ClipCollector':
    """Convert the recordings of actionLabel.txt.

    Raises:
        ValueError: If something cannot be read, unless ``skip_errors``, or no
            clip is left.
    """
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.converters.recordings import (
        Source,
        collect,
        find_recordings,
    )
    (_, table), = find_recordings(folder, r'actionLabel\.txt')
    labels = read_labels(table)
    found = {match[2]: (int(match[3]), path)
             for match, path in find_recordings(folder, NAME)}
    clips = ClipCollector(
        [f'{name}{part}' for name in ('', *(f'{x}_' for x in sorted(labels)))
         for part in ('train', 'val')], skip_errors, 'kinect-v1')
    clips.data['classes'] = list(CLASSES)
    sources = []
    for recording in sorted(set(labels) | set(found)):
        if recording not in labels or recording not in found:
            clips.fail(recording, ValueError(
                f'{table}: no actions of {recording}' if recording in
                found else f'{folder}: no joints_{recording}.txt'))
            continue
        subject, path = found[recording]
        splits = ['train' if subject % 2 else 'val'] + [
            f'{x}_{"val" if x == recording else "train"}' for x in labels]
        for action, ends in labels[recording].items():
            name = f'{recording}_{action}'
            if ends is None:
                clips.leave_out(name, 'NaN in actionLabel.txt')
            else:
                sources.append(
                    Source(name, Span(path, *ends), CLASSES.index(action),
                           splits))
    collect(clips, sources, read_clip, num_workers)
    clips.check_any(f'{len(labels)} recordings')
    return clips


def main(argv: Optional[list[str]] = None) -> None:
    run_set_converter(
        argv, __doc__, 'python tools/data/utkinect.py UTKinect --out '
        'data/skeleton/utkinect.pkl',
        'folder with actionLabel.txt and joints/', convert)


if __name__ == '__main__':
    main()
