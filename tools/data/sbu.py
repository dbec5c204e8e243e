"""Convert SBU Kinect Interaction to an MMAction2 pickle.

Reads the skeletons of the clean version, a file a clip:
s01s02/01/001/skeleton_pos.txt.
"""
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
from converter_arguments import run_set_converter

if TYPE_CHECKING:
    import re

    from umurl_mmaction.converters.clip_collector import ClipCollector

CLASSES = [
    'approaching', 'departing', 'kicking', 'pushing', 'shaking hands',
    'hugging', 'exchanging object', 'punching'
]
NAME = r'(s[0-9]+s[0-9]+)/([0-9]+)/([0-9]+)/skeleton_pos\.txt'
# The pairs of people in each fold, by the README of the set.
FOLDS = [('s01s02', 's03s04', 's05s02', 's06s04'),
         ('s02s03', 's02s07', 's03s05', 's05s03'),
         ('s01s03', 's01s07', 's07s01', 's07s03'),
         ('s02s01', 's02s06', 's03s02', 's03s06'),
         ('s04s02', 's04s03', 's04s06', 's06s02', 's06s03')]
NUM_BODIES, NUM_JOINTS = 2, 15


def describe(match: 're.Match[str]') -> tuple[str, int, list[str]]:
    """Tell name, action and splits of a clip: a test in one fold.

    Raises:
        ValueError: If the pair is in no fold.
    """
    _, pair, action, take = match.groups()
    if not any(pair in fold for fold in FOLDS):
        raise ValueError(f'{pair} is none of the 21 pairs of the five folds')
    return f'{pair}_{action}_{take}', int(action), [
        f'fold{i}_{"val" if pair in fold else "train"}'
        for i, fold in enumerate(FOLDS, 1)
    ]


def read_clip(path: Path) -> tuple[np.ndarray, str]:
    """Read a clip in metres, (2, T, 15, 3), and ''.

    A line has the number of the frame, and x, y and z of 15 joints of either
    body: from 0 to 1 over the picture, and a share of the depth. The README of
    the set says how to turn them back.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    # Imported late, as below: --help is to be quick.
    from umurl_mmaction.converters.recordings import read_numbers
    values = read_numbers(path, 1 + NUM_BODIES * NUM_JOINTS * 3, ',')[:, 1:]
    shares = values.reshape(-1, NUM_BODIES, NUM_JOINTS, 3).swapaxes(0, 1)
    x, y, z = np.moveaxis(shares, -1, 0)
    millimetres = np.stack(
        [1280 - 2560 * x, 960 - 1920 * y, 10000 * z / 7.8125], axis=-1)
    # A joint that was not found is zeros in the file.
    there = shares.any(axis=-1, keepdims=True)
    return np.where(there, millimetres / 1000, 0).astype(np.float32), ''


def convert(folder: Path, num_workers: int,
            skip_errors: bool) -> 'ClipCollector':
    """Convert the files below a folder; see ``convert_files``."""
    from umurl_mmaction.converters.recordings import convert_files
    return convert_files(
        folder, NAME, describe, read_clip, dict(enumerate(CLASSES, 1)),
        [f'fold{i}_{part}' for i in range(1, 6) for part in ('train', 'val')],
        'sbu', num_workers, skip_errors)


def main(argv: Optional[list[str]] = None) -> None:
    run_set_converter(
        argv, __doc__, 'python tools/data/sbu.py sbu_clean --out '
        'data/skeleton/sbu.pkl', 'folder with the sets of pairs', convert)


if __name__ == '__main__':
    main()
