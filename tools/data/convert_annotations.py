"""Convert annotations from MMAction2's pickle to an .npz, or back.

Both hold the same. An .npz holds arrays only, so that nobody who gets one has
to trust it; MMAction2's own datasets read the pickle only. --skeleton adds
what the joints are, --xy makes 2D clips of 3D ones.
"""
import sys
from pathlib import Path
from typing import Any, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import make_parser  # noqa: E402

EPILOG = '''example:
  python tools/data/convert_annotations.py ntu60_3d.pkl ntu60_3d.npz
  python tools/data/convert_annotations.py utd_mhad.pkl utd_mhad_2d.pkl --xy
'''


def drop_depth(clips: list[dict[str, Any]], path: Path) -> None:
    """Keep x and y of 3D clips, in place.

    Raises:
        ValueError: If a clip is not 3D.
    """
    for clip in clips:
        coordinates = clip['keypoint'].shape[-1]
        if coordinates != 3:
            raise ValueError(
                f'{path}: clip {clip["frame_dir"]!r} has {coordinates} '
                'coordinates; --xy wants x, y and z')
        clip['keypoint'] = clip['keypoint'][..., :2]


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'src', type=Path, metavar='SRC', help='annotations, .pkl or .npz')
    parser.add_argument(
        'dst', type=Path, metavar='DST', help='file to write, .pkl or .npz')
    parser.add_argument(
        '--trusted', action='store_true',
        help='load whatever the pickle SRC asks for, which runs it')
    parser.add_argument(
        '--skeleton', metavar='FILE.json',
        help='skeleton of the clips: a .json file, or the name of a layout '
        '(as in SRC)')
    parser.add_argument(
        '--xy', action='store_true',
        help='write x and y of each joint only: what a camera far in front of '
        'a 3D skeleton sees')
    args = parser.parse_args(argv)
    # Imported late: --help needs none of it.
    from umurl_mmaction.command_line import check_suffix, one_line_errors
    from umurl_mmaction.converters.clip_collector import summarize
    from umurl_mmaction.fileio.annotations import (
        load_annotations,
        save_annotations,
    )
    from umurl_mmaction.skeleton.layout import build_layout
    from umurl_mmaction.skeleton.skeleton_file import read_skeleton
    check_suffix(parser, 'DST', args.dst)
    with one_line_errors(str(args.dst)):
        data = load_annotations(args.src, args.trusted)
        if args.skeleton is not None:
            data['skeleton'] = read_skeleton(args.skeleton)
            layout = build_layout(data['skeleton'])
            for clip in data['annotations']:
                layout.check(clip['keypoint'].shape,
                             f'{args.src}: clip {clip["frame_dir"]!r}')
        if args.xy:
            drop_depth(data['annotations'], args.src)
        save_annotations(data, args.dst)
    print(f'{summarize(data)}\nwritten to {args.dst}')


if __name__ == '__main__':
    main()
