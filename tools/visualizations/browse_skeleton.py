"""Draw clips of a config's dataset, normalised and augmented.

The columns show the clip as annotated, the normalised clip and its augmented
views, with the augmentations in words; the frames run downwards. The bones of
a limb have one colour; a second person is pale.
"""
from argparse import Namespace
from typing import TYPE_CHECKING, Optional

from figure_arguments import (
    add_class_names,
    add_config,
    figure_parser,
    load_config,
    tell_written,
)
from tool_arguments import add_format, add_up, settle_format

if TYPE_CHECKING:
    from mmengine.config import Config

    from umurl_mmaction.visualization.stages import StageSource
    from umurl_mmaction.visualization.strips import Strip

EXAMPLE = ('python tools/visualizations/browse_skeleton.py '
           'configs/umurl/pretrain/umurl_1xb64_synthetic.py --clips 0 5 '
           '--names')


def strips_of(source: 'StageSource', index: int) -> list['Strip']:
    """Make the columns of a clip."""
    from umurl_mmaction.visualization import Strip, hide_missing
    stages = source[index]
    raw, normalized = (
        hide_missing(clip, source.layout, centered=source.centered)
        for clip in (stages.raw, stages.normalized))
    strips = [
        Strip(raw, 'raw', space='annotated'),
        Strip(normalized, 'normalised')
    ]
    for i, (view, note) in enumerate(zip(stages.views, stages.notes)):
        title = f'view {i + 1}'
        if source.names:
            title += f': {source.names[i]}'
        # Joints that were set to 0 are shown.
        shown = hide_missing(view, source.layout, joints=False)
        strips.append(Strip(shown, f'{title}\n{note}'.strip()))
    return strips


def browse(cfg: 'Config', args: Namespace) -> None:
    """Write a picture of each chosen clip."""
    from mmengine.runner import set_random_seed

    from umurl_mmaction.progress import track
    from umurl_mmaction.visualization import (
        ClassNames,
        StageSource,
        StripFigure,
        log_figure,
        save_strips,
    )
    from umurl_mmaction.visualization.animation import check_format
    check_format(args.format)
    source = StageSource(cfg, args.loader)
    clips = source.pick(args.clips, args.seed)
    names = ClassNames.find(args.class_names, source.dataset)
    for index in track(clips):
        # A seed for each clip: its views do not depend on the clips before.
        set_random_seed(args.seed + index)
        name, label = source.labels[index]
        figure = StripFigure(
            strips_of(source, index),
            source.layout,
            args.frames,
            rows=None if args.format == 'png' else 1,
            up=args.up,
            title=f'{name}: {names[label]}',
            names=args.names)
        save_strips(
            figure, args.out / f'{name.replace("/", "_")}.{args.format}')
        log_figure(figure.figure, args.tensorboard, f'clip/{name}')
    tell_written(len(clips), args)


def main(argv: Optional[list[str]] = None) -> None:
    parser = figure_parser(__doc__, EXAMPLE,
                           'work_dirs/visualizations/browse_skeleton',
                           'folder to write a picture a clip to')
    add_config(parser)
    parser.add_argument(
        '--loader', default='train_dataloader',
        help='whose dataset to look at (%(default)s)')
    parser.add_argument(
        '--clips', nargs='+', default=[], metavar='CLIP',
        help='names or numbers of clips (three, drawn by the seed)')
    add_format(parser)
    parser.add_argument(
        '--names', action='store_true', help="add the joints' names")
    add_class_names(parser)
    add_up(parser)
    args = parser.parse_args(argv)
    settle_format(parser, args)

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        browse(load_config(args), args)


if __name__ == '__main__':
    main()
