"""Look at an annotation file before a training.

Prints what the clips are like and, in lines that start with !, what is likely
to spoil a training. Writes a picture of three clips before and after the
normalisation that CONFIG, or else the layout, asks for.
"""
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import add_cfg_options, make_parser  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from umurl_mmaction.datasets.inspection import SetMeasures
    from umurl_mmaction.skeleton.layout import Layout

EPILOG = '''example:
  python tools/data/inspect_annotations.py data/mine.pkl
'''


def find_setting(
        args: Namespace,
        data: dict[str, Any]) -> tuple[Optional['Layout'], list[dict]]:
    """Return the layout and the transforms that prepare a clip."""
    from umurl_mmaction.datasets.facts import layout_of
    from umurl_mmaction.datasets.inspection import layout_by_joints
    from umurl_mmaction.skeleton.layout import build_layout
    from umurl_mmaction.skeleton.skeleton_file import read_skeleton
    *_, num_joints, coords = data['annotations'][0]['keypoint'].shape
    layout = layout_of(data, str(args.file))
    if args.config is not None:
        from mmengine.registry import init_default_scope

        from umurl_mmaction.apis import load_config
        from umurl_mmaction.visualization.stages import find_steps
        cfg = load_config(args.config, args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        prepare = find_steps(cfg, 'train_dataloader').before_resize
        graph_cfg = cfg.model.backbone.get('graph_cfg')
        if graph_cfg:
            layout = build_layout(graph_cfg['layout'])
    else:
        name = f'SkeletonPreNormalize{"2D" if coords == 2 else ""}'
        prepare = [dict(type=name)]
    if args.skeleton is not None:
        layout = build_layout(read_skeleton(args.skeleton))
    layout = layout or layout_by_joints(num_joints)
    if layout is not None:
        for clip in data['annotations']:
            layout.check(clip['keypoint'].shape,
                         f'{args.file}: clip {clip["frame_dir"]!r}')
    elif args.config is None and coords != 2:
        prepare = []  # only that of pixels does without a layout
    return layout, prepare


def describe(data: dict[str, Any], layout: Optional['Layout'],
             measures: 'SetMeasures') -> list[str]:
    """Say in a few lines what the clips are like."""
    from collections import Counter

    import numpy as np

    from umurl_mmaction.datasets.inspection import (
        class_counts,
        clips_of_splits,
        line_of,
    )
    clips = data['annotations']
    arrays = [clip['keypoint'] for clip in clips]
    bodies = sorted(Counter(len(array) for array in arrays).items())
    frames = [array.shape[1] for array in arrays]
    dtypes = sorted({str(array.dtype) for array in arrays})
    origin = 'of no known layout; give --skeleton'
    if layout is not None:
        origin = f'layout {layout.name!r}'
        if layout.shoulders is not None:
            names = ' to '.join(f'{v} {layout.joints[v]}'
                                for v in layout.shoulders)
            origin += f', shoulders {names}'
    total = sum(clip.num_frames for clip in measures.clips)
    empty = sum(clip.empty_frames for clip in measures.clips)
    joints = arrays[0].shape[2]
    missing = sum(int(clip.missing.sum()) for clip in measures.clips)
    jumping = sum(clip.jumps > 0 for clip in measures.clips)
    lines = [
        f'clips: {len(clips)}, {class_counts(clips)}',
        'bodies: ' + ', '.join(f'{m} in {n} clips' for m, n in bodies),
        f'joints: {joints}, {origin}',
        f'coordinates: {arrays[0].shape[3]}, {" and ".join(dtypes)}',
        f'frames: {min(frames)} to {max(frames)}, median '
        f'{int(np.median(frames))}; {sum(frames)} in all'
    ]
    lines += [f'split {name}: {len(some)} clips, {class_counts(some)}'
              for name, some in clips_of_splits(data).items()]
    return [
        *lines, f'empty: {empty} of {total} frames of bodies, {missing} of '
        f'{(total - empty) * joints} joints of the others',
        f'jumps: in {jumping} clips',
        line_of(measures)
    ]


def draw(clips: list[dict], layout: 'Layout', prepare: Any,
         measures: 'SetMeasures') -> 'Figure':
    """Draw three clips, the first, the middle and the last one."""
    import numpy as np

    from umurl_mmaction.datasets.inspection import units_of, up_axis
    from umurl_mmaction.datasets.inspection.measure import (
        evenly,
        missing_as_zeros,
    )
    from umurl_mmaction.datasets.transforms.normalize import normalizes_2d
    from umurl_mmaction.visualization.normalization import (
        PosePair,
        draw_normalization,
        first_pose,
    )
    flat = measures.num_coords == 2
    pairs = []
    for i in evenly(len(clips), 3):
        clip = clips[i]
        # A transform may write into the array it is given.
        raw = missing_as_zeros(clip['keypoint'], clip.get('keypoint_score'))
        made = prepare(dict(clip, keypoint=raw.copy(), layout=layout))
        shown = np.asarray(made['keypoint'], np.float32)
        # Without the score, which 2D keypoints may have as third coordinate.
        raw, shown = (x[..., :measures.num_coords] for x in (raw, shown))
        pairs.append(
            PosePair(clip['frame_dir'],
                     *first_pose(raw, shown, layout, centered=not flat)))
    unit = units_of(measures)
    after = unit
    if measures.scale == 0:
        after = 'body heights'
    elif any(map(normalizes_2d, prepare.transforms)):
        after = 'half frames'
    elif measures.scale != 1:
        after = f'lengths of {measures.scale:g}'
    up = up_axis(measures) or ('-y' if flat else 'y')
    return draw_normalization(pairs, layout, up if up[-1] != 'x' else 'y',
                              (unit, after))


def inspect(args: Namespace) -> None:
    """Print the report and write the picture."""
    from functools import partial

    from mmaction.registry import TRANSFORMS
    from mmengine.dataset import Compose
    from mmengine.registry import init_default_scope
    from mmengine.utils import track_iter_progress

    import umurl_mmaction  # noqa: F401
    from umurl_mmaction.datasets.facts import load_clips, wrong_sizes
    from umurl_mmaction.datasets.inspection import (
        clips_of_splits,
        find_all,
        find_in_splits,
    )
    from umurl_mmaction.datasets.inspection.steps import measure_steps
    from umurl_mmaction.progress import bar_file
    from umurl_mmaction.visualization import save_figure
    data = load_clips(str(args.file), args.trusted)
    clips = data['annotations']
    layout, configs = find_setting(args, data)
    init_default_scope('mmaction')
    prepare = Compose([TRANSFORMS.build(config) for config in configs])
    bar = partial(track_iter_progress, file=bar_file(sys.stderr))
    measures = measure_steps(clips, prepare.transforms, (), layout,
                             limit=None, track=bar)
    if measures is None:
        raise wrong_sizes(clips, str(args.file))
    findings = [
        *find_all(measures),
        *find_in_splits(clips_of_splits(data),
                        0 if layout is None else layout.center)
    ]
    for line in describe(data, layout, measures):
        print(line)
    for finding in findings:
        refused = ' (a training refuses this)' if finding.refused else ''
        print(f'! {finding.text}{refused}')
    if not findings:
        print('nothing odd found')
    if layout is None:
        print('no picture: it needs a skeleton')
        return
    out = args.out or Path(
        'work_dirs/visualizations') / f'{args.file.stem}_inspection.png'
    save_figure(draw(clips, layout, prepare, measures), out)
    print(f'picture in {out}')


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'file', type=Path, metavar='FILE', help='annotations, .pkl or .npz')
    parser.add_argument(
        '--config', metavar='CONFIG',
        help='an experiment, whose layout and normalisation are to be used '
        '(those of the number of joints)')
    add_cfg_options(parser)
    parser.add_argument(
        '--skeleton', metavar='FILE.json',
        help='skeleton of the clips: a .json file, or the name of a layout '
        '(that of CONFIG or FILE)')
    parser.add_argument(
        '--out', type=Path, metavar='PATH',
        help='picture to write '
        '(work_dirs/visualizations/FILE_inspection.png)')
    parser.add_argument(
        '--trusted', action='store_true',
        help='load whatever the pickle FILE asks for, which runs it')
    args = parser.parse_args(argv)
    if args.cfg_options and args.config is None:
        parser.error('--cfg-options change CONFIG: give --config')

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors('the picture'):
        inspect(args)


if __name__ == '__main__':
    main()
