"""Convert clips of your own to an MMAction2 pickle.

Reads a folder with an array a clip, .npy, .npz, .csv or .json, and a table
that says which split and class each belongs to; tools/data/own_skeletons.md
describes them.
"""
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from converter_arguments import (
    add_shared,
    at_least,
    make_parser,
    run_converter,
)

if TYPE_CHECKING:
    import numpy as np

    from umurl_mmaction.converters.clip_collector import ClipCollector

EPILOG = '''example:
  python tools/data/custom_clips.py my_clips \\
      --skeleton my_clips/skeleton.json --out data/mine.pkl

with my_clips/labels.csv:
  name,label,split
  clip1,wave,train
  clip2,sit down,val
'''


def read_files(num_joints: Optional[int], coords: Optional[int],
               paths: Sequence[Path]) -> 'np.ndarray':
    """Read the file of a clip; see :class:`Clip` for the numbers.

    Raises:
        ValueError: If there are several, or it is malformed.
    """
    from umurl_mmaction.converters.clip_files import only_file
    from umurl_mmaction.fileio.clips import Clip, read_clip
    return read_clip(Clip(only_file(paths), num_joints, coords))


def convert(folder: Path,
            table: Path,
            num_joints: Optional[int] = None,
            coords: Optional[int] = None,
            num_workers: int = 1,
            skip_errors: bool = False,
            skeleton: Union[str, dict[str, Any], None] = None,
            ignored: Iterable[Path] = ()) -> 'ClipCollector':
    """Convert a folder of clips to annotations.

    Args:
        folder (Path): Has a file a clip.
        table (Path): Says which split and class each belongs to.
        num_joints (int, optional): Joints V that each clip must have.
            Defaults to None: those of the first one.
        coords (int, optional): Coordinates C that each joint must have.
            Defaults to None: those of the first one.
        num_workers (int): Processes to read with. Defaults to 1.
        skip_errors (bool): Whether to leave out files and lines of the table
            that cannot be read rather than to raise. Defaults to False.
        skeleton (str | dict, optional): Name or description of the clips'
            layout; it sets ``num_joints`` if that is None. Defaults to None.
        ignored (Iterable[Path]): Files of the folder that are no clips.
            Defaults to ().

    Returns:
        ClipCollector: The clips, and what was left out; its data have
        ``classes``, too, if the labels are names.

    Raises:
        ValueError: If something cannot be read, no clip is left, or the
            skeleton has not ``num_joints`` joints.
    """
    # Imported late, as below: --help is to be quick.
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.converters.clip_files import files_by_name, without
    from umurl_mmaction.converters.parallel import track_parallel
    from umurl_mmaction.converters.table import assign, read_table
    from umurl_mmaction.fileio.clips import SUFFIXES
    from umurl_mmaction.skeleton.layout import build_layout
    if skeleton is not None:
        in_skeleton = build_layout(skeleton).num_joints
        if num_joints not in (None, in_skeleton):
            raise ValueError(f'--num-joints {num_joints} does not fit the '
                             f'skeleton, which has {in_skeleton} joints')
        num_joints = in_skeleton
    rows = read_table(table)
    clips = ClipCollector((), skip_errors, skeleton)
    files = without(files_by_name(folder, SUFFIXES), [table, *ignored])
    members = assign(rows, files, folder, table, clips)
    read = partial(read_files, num_joints, coords)
    tasks = [files[member.name] for member in members]
    first: Optional[tuple[str, tuple[int, ...]]] = None
    with closing(track_parallel(read, tasks, num_workers)) as results:
        for member, paths, keypoint in zip(members, tasks, results):
            if isinstance(keypoint, ValueError):
                clips.fail(member.name, keypoint)
                continue
            first = first or (member.name, keypoint.shape[2:])
            if keypoint.shape[2:] != first[1]:
                clips.fail(member.name, ValueError(
                    f'{paths[0]}: expected (V, C) = {first[1]} as in '
                    f'{first[0]}, got {keypoint.shape[2:]}'))
                continue
            clips.add(member.name, keypoint, member.label, [member.split])
    clips.check_any(f'{len(rows)} in {table}')
    return clips


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'src', type=Path, metavar='SRC', help='folder with a file a clip')
    parser.add_argument(
        '--labels', type=Path, metavar='FILE',
        help='table of the clips (labels.csv in SRC)')
    parser.add_argument(
        '--skeleton', metavar='FILE.json',
        help='skeleton of the clips: a .json file, or the name of a layout; '
        'the annotations will hold it')
    parser.add_argument(
        '--num-joints', type=at_least(1), metavar='V',
        help='joints that every clip must have (as the skeleton, or as in the '
        'first clip)')
    parser.add_argument(
        '--coords', type=at_least(1), metavar='C',
        help='coordinates that every joint must have (as in the first clip)')
    add_shared(parser, 'a file or a line of the table')
    args = parser.parse_args(argv)
    from umurl_mmaction.skeleton.skeleton_file import read_skeleton

    def run() -> 'ClipCollector':
        given = args.skeleton is not None
        return convert(
            args.src,
            args.labels or args.src / 'labels.csv',
            args.num_joints,
            args.coords,
            args.workers,
            args.on_error == 'skip',
            skeleton=read_skeleton(args.skeleton) if given else None,
            ignored=[Path(args.skeleton)] if given else [])

    run_converter(parser, args, run)


if __name__ == '__main__':
    main()
