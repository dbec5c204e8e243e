"""Convert MSR-Action3D to an MMAction2 pickle.

Reads the skeletons in real coordinates (MSRAction3DSkeletonReal3D), a file a
clip: a01_s01_e01_skeleton3D.txt.
"""
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
from converter_arguments import run_set_converter

if TYPE_CHECKING:
    import re

    from umurl_mmaction.converters.clip_collector import ClipCollector

CLASSES = [
    'high arm wave', 'horizontal arm wave', 'hammer', 'hand catch',
    'forward punch', 'high throw', 'draw x', 'draw tick', 'draw circle',
    'hand clap', 'two hand wave', 'side boxing', 'bend', 'forward kick',
    'side kick', 'jogging', 'tennis swing', 'tennis serve', 'golf swing',
    'pick up and throw'
]
NAME = r'a([0-9]+)_s([0-9]+)_e([0-9]+)_skeleton3D\.txt'
# The actions of the three subsets of the paper that presented the set.
SUBSETS = dict(
    as1=(2, 3, 5, 6, 10, 13, 18, 20),
    as2=(1, 4, 7, 8, 9, 11, 12, 14),
    as3=(6, 14, 15, 16, 17, 18, 19, 20))
NUM_JOINTS = 20


def describe(match: 're.Match[str]') -> tuple[str, int, list[str]]:
    """Tell name, action and splits of a clip."""
    action = int(match[2])
    part = 'train' if int(match[3]) % 2 else 'val'
    return match[1][:-len('_skeleton3D.txt')], action, [part] + [
        f'{name}_{part}'
        for name, actions in SUBSETS.items() if action in actions
    ]


def read_clip(path: Path) -> tuple[np.ndarray, str]:
    """Read a clip, (1, T, 20, 3), and ''.

    A line has x, y, z and the confidence, which is not used, of a joint; 20
    lines are a frame.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    # Imported late, as below: --help is to be quick.
    from umurl_mmaction.converters.recordings import read_numbers
    joints = read_numbers(path, 4)
    if len(joints) % NUM_JOINTS:
        raise ValueError(f'{path}: expected {NUM_JOINTS} lines a frame, got '
                         f'{len(joints)} lines')
    return joints[:, :3].reshape(1, -1, NUM_JOINTS, 3).astype(np.float32), ''


def convert(folder: Path, num_workers: int,
            skip_errors: bool) -> 'ClipCollector':
    """Convert the files below a folder; see ``convert_files``."""
    from umurl_mmaction.converters.recordings import convert_files
    return convert_files(
        folder, NAME, describe, read_clip, dict(enumerate(CLASSES, 1)),
        [f'{name}{part}' for name in ('', *(f'{x}_' for x in SUBSETS))
         for part in ('train', 'val')], 'msr', num_workers, skip_errors)


def main(argv: Optional[list[str]] = None) -> None:
    run_set_converter(
        argv, __doc__, 'python tools/data/msr_action3d.py '
        'MSRAction3DSkeletonReal3D --out data/skeleton/msr_action3d.pkl',
        'folder with the .txt files', convert)


if __name__ == '__main__':
    main()
