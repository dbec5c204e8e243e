"""Draw the training curves of several runs in one figure.

Each loss, each top-1 accuracy and each measure of collapse is a panel with a
line for each run, from the JSON logs in its work_dir. A run that was stopped
and resumed is one line.
"""
from argparse import Namespace
from pathlib import Path
from typing import Optional

from figure_arguments import figure_parser

EXAMPLE = ('python tools/visualizations/training_curves.py '
           'work_dirs/first work_dirs/second --keys loss loss_intra')


def draw(args: Namespace) -> None:
    """Read the logs and write the figure."""
    from umurl_mmaction.analysis.curves import choose_names, read_run
    from umurl_mmaction.visualization import log_figure, save_figure
    from umurl_mmaction.visualization.curves import draw_curves
    titles = args.legend or [path.resolve().name for path in args.runs]
    if len(set(titles)) != len(args.runs):
        # Two runs have the same name: their paths tell them apart.
        titles = [str(path) for path in args.runs]
    runs = {title: read_run(path) for title, path in zip(titles, args.runs)}
    names = choose_names(runs.values(), args.keys)
    figure = draw_curves(runs, names, by_epoch=args.x == 'epoch')
    save_figure(figure, args.out)
    log_figure(figure, args.tensorboard, 'training_curves')
    print(f'{", ".join(names)} of {len(runs)} runs in {args.out}')


def main(argv: Optional[list[str]] = None) -> None:
    parser = figure_parser(__doc__, EXAMPLE,
                           'work_dirs/visualizations/training_curves.png',
                           'picture to write')
    parser.add_argument(
        'runs', nargs='+', type=Path, metavar='WORK_DIR',
        help='folder of a run, or one of its JSON logs')
    parser.add_argument(
        '--keys', nargs='+', default=[], metavar='KEY',
        help='what to draw (losses, top-1 accuracies, measures of collapse)')
    parser.add_argument(
        '--legend', nargs='+', metavar='NAME',
        help='what the runs are called (as their folders)')
    parser.add_argument(
        '--x', choices=['iteration', 'epoch'], default='iteration',
        help='what to count (%(default)s)')
    args = parser.parse_args(argv)
    if args.legend and len(args.legend) != len(args.runs):
        parser.error(f'--legend must have a name for each of {len(args.runs)} '
                     f'runs, got {len(args.legend)}')

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        draw(args)


if __name__ == '__main__':
    main()
