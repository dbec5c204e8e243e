"""Convert the output of a pose estimator to an MMAction2 pickle.

Reads JSON of MMPose, OpenPose or AlphaPose, landmarks of MediaPipe, or .bvh
files. Split and class of each clip are those of a table, or of the folders
that it lies in: SRC/SPLIT/CLASS/CLIP. tools/data/own_skeletons.md describes
all of it.
"""
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from converter_arguments import (
    add_shared,
    at_least,
    make_parser,
    run_converter,
)

if TYPE_CHECKING:
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.converters.estimates import Settings

EPILOG = '''examples:
  python tools/data/pose_estimates.py mmpose predictions \\
      --img-shape 1080 1920 --out data/mine.pkl
  python tools/data/pose_estimates.py openpose output_json \\
      --labels labels.csv --img-shape 720 1280 --out data/mine.pkl
  python tools/data/pose_estimates.py alphapose results \\
      --img-shape 720 1280 --out data/mine.pkl
  python tools/data/pose_estimates.py mediapipe landmarks --out data/mine.pkl
  python tools/data/pose_estimates.py bvh takes --scale 0.01 \\
      --out data/mine.pkl
'''

SOURCES = ('mmpose', 'openpose', 'alphapose', 'mediapipe', 'bvh')


def convert(source: str,
            folder: Path,
            settings: 'Settings',
            table: Optional[Path] = None,
            num_workers: int = 1,
            skip_errors: bool = False,
            ignored: Iterable[Path] = ()) -> 'ClipCollector':
    """Convert the output of a pose estimator to annotations.

    Args:
        source (str): One of :data:`SOURCES`.
        folder (Path): Has its files.
        settings (Settings): How they are read.
        table (Path, optional): Says which split and class each clip belongs
            to. Defaults to None: ``labels.csv`` of the folder, else the
            folders that the clips lie in.
        num_workers (int): Processes to read with. Defaults to 1.
        skip_errors (bool): Whether to leave out clips and lines of the table
            that cannot be read rather than to raise. Defaults to False.
        ignored (Iterable[Path]): Files of the folder that are no clips.
            Defaults to ().

    Returns:
        ClipCollector: The clips, and what was left out.

    Raises:
        ValueError: If something cannot be read, or no clip is left.
    """
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.converters.parallel import track_parallel
    from umurl_mmaction.converters.pose_files import (
        Video,
        find_videos,
        read_pose,
    )
    from umurl_mmaction.converters.table import (
        assign,
        read_table,
        rows_of_folders,
    )
    from umurl_mmaction.skeleton.layout import build_layout
    clips = ClipCollector((), skip_errors)
    if table is None and (folder / 'labels.csv').is_file():
        table = folder / 'labels.csv'
    ignored = [*ignored, *([] if table is None else [table])]
    videos = find_videos(source, folder, settings, ignored)
    rows = (rows_of_folders(videos, str(folder)) if table is None else
            read_table(table, of_pictures=True))
    members = assign(rows, videos, folder, table, clips)
    tasks = [Video(videos[x.name], x.img_shape) for x in members]
    first: Optional[tuple[str, Any]] = None
    with closing(
            track_parallel(partial(read_pose, source, settings), tasks,
                           num_workers)) as results:
        for member, pose in zip(members, results):
            if isinstance(pose, ValueError):
                clips.fail(member.name, pose)
                continue
            if pose.skeleton is not None and len(pose.keypoint):
                facts = (pose.skeleton, pose.keypoint.shape[2:])
                first = first or (member.name, facts)
                if facts != first[1]:
                    clips.fail(member.name, ValueError(
                        f'{videos[member.name][0]}: expected the skeleton of '
                        f'{first[0]}, {_compare(first[1], facts)}'))
                    continue
            pixels = pose.keypoint.shape[-1] == 2
            clips.add(
                member.name,
                pose.keypoint,
                member.label,
                [member.split],
                pose.left_out,
                score=pose.score if pixels else None,
                img_shape=(member.img_shape or settings.img_shape)
                if pixels else None)
    clips.check_any(f'{len(videos)} in {folder}')
    if first is not None:
        skeleton, shape = first[1]
        build_layout(skeleton).check(shape, f'clip {first[0]!r}')
        clips.data['skeleton'] = skeleton
    return clips


def _compare(wanted: tuple[Any, tuple[int, ...]],
             got: tuple[Any, tuple[int, ...]]) -> str:
    """Say how two skeletons, with their (V, C), differ."""
    names = [x if isinstance(x, str) else x['name'] for x, _ in (wanted, got)]
    if names[0] == names[1] and wanted[1] == got[1] and not (
            isinstance(wanted[0], str) or isinstance(got[0], str)):
        for key in ('joints', 'parents'):
            for v, pair in enumerate(zip(wanted[0][key], got[0][key])):
                if pair[0] != pair[1]:
                    return (f'whose {key}[{v}] is {pair[0]!r}, got '
                            f'{pair[1]!r}')
    texts = [
        f'{name!r} with (V, C) = {shape}'
        for name, (_, shape) in zip(names, (wanted, got))
    ]
    return ', got '.join(texts)


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'source', choices=SOURCES, help='what the files are')
    parser.add_argument(
        'src', type=Path, metavar='SRC', help='folder with the files')
    parser.add_argument(
        '--labels', type=Path, metavar='FILE',
        help='table of the clips (labels.csv in SRC, else its folders)')
    parser.add_argument(
        '--img-shape', type=at_least(1), nargs=2, metavar=('HEIGHT', 'WIDTH'),
        help='size of the pictures, needed for keypoints in pixels where the '
        'table has no columns height and width')
    parser.add_argument(
        '--min-score', type=float, default=0., metavar='SCORE',
        help='joints with a smaller score are missing, as those with 0 '
        '(%(default)s)')
    parser.add_argument(
        '--num-person', type=at_least(1), default=2, metavar='M',
        help='main bodies to keep (%(default)s)')
    parser.add_argument(
        '--max-gap', type=at_least(0), default=30, metavar='FRAMES',
        help='frames that a body may be away and still be the same '
        '(%(default)s)')
    parser.add_argument(
        '--skeleton', metavar='FILE.json',
        help='what the joints are: a .json file, or the name of a layout (by '
        'the number of joints)')
    parser.add_argument(
        '--images', action='store_true',
        help='mmpose: a file is a picture, and a folder is a clip')
    parser.add_argument(
        '--landmarks', choices=['world', 'image'], default='world',
        help='mediapipe: in metres, or in pixels of the picture (%(default)s)')
    parser.add_argument(
        '--scale', type=float, default=1., metavar='FACTOR',
        help='factor of coordinates in 3D, such as 0.01 from centimetres to '
        'metres (%(default)s)')
    add_shared(parser, 'a clip or a line of the table')
    args = parser.parse_args(argv)
    if not 0 < args.scale < float('inf'):
        parser.error(f'--scale must be above 0, got {args.scale}')
    from umurl_mmaction.skeleton.skeleton_file import read_skeleton

    def run() -> 'ClipCollector':
        from umurl_mmaction.converters.estimates import Settings
        settings = Settings(
            num_person=args.num_person,
            min_score=args.min_score,
            max_gap=args.max_gap,
            img_shape=args.img_shape and tuple(args.img_shape),
            scale=args.scale,
            skeleton=None if args.skeleton is None else read_skeleton(
                args.skeleton),
            images=args.images,
            landmarks=args.landmarks)
        return convert(args.source, args.src, settings, args.labels,
                       args.workers, args.on_error == 'skip',
                       [] if args.skeleton is None else [Path(args.skeleton)])

    run_converter(parser, args, run)


if __name__ == '__main__':
    main()
