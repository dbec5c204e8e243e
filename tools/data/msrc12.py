"""Convert MSRC-12 (Microsoft Research Cambridge-12) to an MMAction2 pickle.

Reads the folder data of the set, a .csv and a .tagstream a sequence:
P1_1_1_p06.csv. A clip is cut around each action point.
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
    'lift outstretched arms', 'duck', 'push right', 'goggles', 'wind it up',
    'shoot', 'bow', 'throw', 'had enough', 'change weapon', 'beat both', 'kick'
]
NAME = r'P[0-9]+_[0-9]+_([0-9]+)A?_p([0-9]+)\.csv'
NUM_JOINTS = 20
# Frames before and after an action point, at 30 a second. People hold a pose
# there: their motion is least at that frame of such clips.
BEFORE, AFTER = 45, 30
# Clips that the start or the end of the sequence cuts shorter are left out.
LEAST = 16


class Point(NamedTuple):
    """An action point of a sequence, in microseconds of its time."""
    path: Path
    time: int


@functools.lru_cache(maxsize=2)
def read_sequence(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read times, (T, ), and joints in metres, (T, 20, 3).

    A line has the time in microseconds, and x, y, z and a flag, which is not
    used, of each joint. Frames without anybody are zeros.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    # Imported late, as below: --help is to be quick.
    from umurl_mmaction.converters.recordings import read_numbers
    values = read_numbers(path, 1 + NUM_JOINTS * 4)
    joints = values[:, 1:].reshape(-1, NUM_JOINTS, 4)[..., :3]
    return values[:, 0], joints.astype(np.float32)


def read_clip(point: Point) -> tuple[np.ndarray, str]:
    """Read the frames around an action point, (1, T, 20, 3).

    T is 0 if there are fewer than :data:`LEAST` frames with somebody.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    times, joints = read_sequence(point.path)
    frame = int(np.abs(times - point.time).argmin())
    clip = joints[max(0, frame - BEFORE):frame + AFTER + 1]
    # Before somebody is found and after who was there has left.
    there = np.flatnonzero(clip.any(axis=(1, 2)))
    if len(there) < LEAST:
        return clip[None, :0], (f'less than {LEAST} frames with somebody '
                                'around the action point')
    clip = clip[there[0]:there[-1] + 1]
    whole = BEFORE + AFTER + 1
    return clip[None], (f'less than {whole} frames around the action point'
                        if len(clip) < whole else '')


def read_tags(path: Path) -> list[tuple[int, int]]:
    """Read the action points of a sequence.

    Args:
        path (Path): A text file: ``XQPCTick;Tag``, then a line for each, the
            time in ticks and the gesture, ``G1`` or ``G1 ...``.

    Returns:
        list[tuple[int, int]]: Time in microseconds and number of the gesture.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    from umurl_mmaction.fileio.text import at
    with at(str(path)):
        lines = path.read_bytes().decode('utf-8', 'replace').split('\n')
        if lines[0].strip() != 'XQPCTick;Tag':
            raise ValueError('line 1: expected XQPCTick;Tag, got '
                             f'{lines[0][:40]!r}')
        tags = []
        for number, line in enumerate(lines[1:], 2):
            if not line.strip():
                continue
            tag = re.match(r'\s*([0-9]+);\s*G([0-9]+)\b', line)
            if tag is None or not 1 <= int(tag[2]) <= len(CLASSES):
                raise ValueError(f'line {number}: expected a time and a '
                                 f'gesture from G1 to G{len(CLASSES)}, got '
                                 f'{line[:40]!r}')
            # As the programs of the set do.
            tags.append(((int(tag[1]) * 1000 + 49875 // 2) // 49875,
                         int(tag[2])))
    return tags


def convert(folder: Path, num_workers: int,
            skip_errors: bool) -> 'ClipCollector':
    """Convert the sequences below a folder.

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
    clips = ClipCollector(('train', 'val'), skip_errors, 'kinect-v1')
    clips.data['classes'] = list(CLASSES)
    sources = []
    recordings = find_recordings(folder, NAME)
    for match, path in recordings:
        try:
            tags = read_tags(path.with_suffix('.tagstream'))
        except ValueError as error:
            clips.fail(path.stem, error)
            continue
        split = 'train' if int(match[3]) % 2 else 'val'
        sources += [
            Source(f'{path.stem}_{i:02d}', Point(path, time), gesture - 1,
                   [split]) for i, (time, gesture) in enumerate(tags)
        ]
    collect(clips, sources, read_clip, num_workers)
    clips.check_any(f'{len(recordings)} sequences')
    return clips


def main(argv: Optional[list[str]] = None) -> None:
    run_set_converter(
        argv, __doc__, 'python tools/data/msrc12.py '
        'MicrosoftGestureDataset-RC/data --out data/skeleton/msrc12.pkl',
        'folder with the .csv and .tagstream files', convert)


if __name__ == '__main__':
    main()
