"""Convert NW-UCLA (Multiview Action 3D) to an MMAction2 pickle.

Reads the skeletons as they are shared for skeleton-based recognition, a .json
a clip: a01_s01_e00_v01.json.
"""
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
from converter_arguments import run_set_converter

if TYPE_CHECKING:
    import re

    from umurl_mmaction.converters.clip_collector import ClipCollector

# By number of the action; 7 and 10 do not exist.
CLASSES = {
    1: 'pick up with one hand',
    2: 'pick up with two hands',
    3: 'drop trash',
    4: 'walk around',
    5: 'sit down',
    6: 'stand up',
    8: 'donning',
    9: 'doffing',
    11: 'throw',
    12: 'carry'
}
NAME = r'a([0-9]+)_s([0-9]+)_e([0-9]+)_v0([123])\.json'
SPLITS = ('train', 'val', 'train_nodup', 'val_nodup', 'xview1_train',
          'xview1_val_clean')


def describe(match: 're.Match[str]') -> tuple[str, int, list[str]]:
    """Tell name, action and splits of a clip, before copies are left out."""
    view = int(match[5])
    return match[1][:-len('.json')], int(match[2]), [
        'train' if view < 3 else 'val',
        'xview1_train' if view > 1 else 'xview1_val_clean'
    ]


def read_clip(path: Path) -> tuple[np.ndarray, str]:
    """Read ``skeletons`` of a clip, (1, T, 20, 3), and ''.

    Raises:
        ValueError: If the file is malformed. Names it.
    """
    # Imported late, as below: --help is to be quick.
    from umurl_mmaction.fileio.text import at, load_json, to_array
    with at(str(path)):
        data = load_json(path)
        if not isinstance(data, dict) or 'skeletons' not in data:
            raise ValueError('expected a dict with skeletons')
        joints = to_array(data['skeletons'])
        if joints.shape[1:] != (20, 3):
            raise ValueError('expected skeletons (T, 20, 3), got '
                             f'{joints.shape}')
    return joints.astype(np.float32)[None], ''


def convert(folder: Path, num_workers: int,
            skip_errors: bool) -> 'ClipCollector':
    """Convert the files below a folder; see ``convert_files``."""
    from umurl_mmaction.converters.recordings import (
        convert_files,
        sharing_frames,
    )
    clips = convert_files(folder, NAME, describe, read_clip, CLASSES, SPLITS,
                          'kinect-v1', num_workers, skip_errors)
    split = clips.split
    for name, other in (('train', 'val'), ('val', 'train')):
        copies = sharing_frames(clips, split[name], split[other])
        split[f'{name}_nodup'] = [x for x in split[name] if x not in copies]
    name = 'xview1_val_clean'
    copies = sharing_frames(clips, split[name], split['xview1_train'])
    split[name] = [x for x in split[name] if x not in copies]
    return clips


def main(argv: Optional[list[str]] = None) -> None:
    run_set_converter(
        argv, __doc__, 'python tools/data/nw_ucla.py all_sqe --out '
        'data/skeleton/nw_ucla.pkl', 'folder with the .json files', convert)


if __name__ == '__main__':
    main()
