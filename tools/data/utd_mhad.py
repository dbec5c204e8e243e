"""Convert UTD-MHAD to an MMAction2 pickle.

Reads the folder Skeleton of the set, a .mat a clip: a1_s1_t1_skeleton.mat.
"""
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
from converter_arguments import run_set_converter

if TYPE_CHECKING:
    import re

    from umurl_mmaction.converters.clip_collector import ClipCollector

CLASSES = [
    'swipe left', 'swipe right', 'wave', 'clap', 'throw', 'arm cross',
    'basketball shoot', 'draw x', 'draw circle CW', 'draw circle CCW',
    'draw triangle', 'bowling', 'boxing', 'baseball swing', 'tennis swing',
    'arm curl', 'tennis serve', 'push', 'knock', 'catch', 'pickup throw',
    'jog', 'walk', 'sit to stand', 'stand to sit', 'lunge', 'squat'
]
NAME = r'a([0-9]+)_s([0-9]+)_t([0-9]+)_skeleton\.mat'
# The files start at the head: head, shoulder centre, spine, hip centre.
ORDER = [3, 2, 1, 0, *range(4, 20)]

def describe(match: 're.Match[str]') -> tuple[str, int, list[str]]:
    """Tell name, action and split of a clip."""
    return match[1][:-len('_skeleton.mat')], int(match[2]), [
        'train' if int(match[3]) % 2 else 'val'
    ]


def read_clip(path: Path) -> tuple[np.ndarray, str]:
    """Read ``d_skel`` of a clip in the order of Kinect v1, and ''.

    Returns:
        tuple[np.ndarray, str]: (1, T, 20, 3).

    Raises:
        ValueError: If the file is malformed. Names it.
    """
    # Imported late, as below: --help is to be quick.
    from scipy.io import loadmat
    try:
        joints = loadmat(path)['d_skel']
    except KeyError:
        raise ValueError(f'{path}: no d_skel') from None
    except Exception as error:  # SciPy raises whatever a broken file leads to
        raise ValueError(f'{path}: no .mat that SciPy can read: '
                         f'{error}') from error
    if joints.dtype.kind not in 'fiu' or joints.ndim != 3 or (
            joints.shape[:2] != (20, 3)):
        raise ValueError(f'{path}: expected d_skel (20, 3, T), got '
                         f'{joints.dtype} {joints.shape}')
    joints = joints[ORDER].transpose(2, 0, 1)[None]
    return np.array(joints, np.float32, order='C'), ''


def convert(folder: Path, num_workers: int,
            skip_errors: bool) -> 'ClipCollector':
    """Convert the files below a folder; see ``convert_files``."""
    from umurl_mmaction.converters.recordings import convert_files
    return convert_files(folder, NAME, describe, read_clip,
                         dict(enumerate(CLASSES, 1)), ('train', 'val'),
                         'kinect-v1', num_workers, skip_errors)


def main(argv: Optional[list[str]] = None) -> None:
    run_set_converter(
        argv, __doc__, 'python tools/data/utd_mhad.py Skeleton --out '
        'data/skeleton/utd_mhad.pkl', 'folder with the .mat files', convert)


if __name__ == '__main__':
    main()
