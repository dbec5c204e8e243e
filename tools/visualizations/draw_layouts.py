"""Draw the known layouts, and print the lists of their joints.

A figure stands for each layout, faces the viewer and has the numbers of the
joints. The output is the list of tools/data/layouts.md.
"""
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import make_parser  # noqa: E402

if TYPE_CHECKING:
    from umurl_mmaction.skeleton import Layout

EXAMPLE = ('python tools/visualizations/draw_layouts.py '
           '--out tools/data/pictures/layouts.png')


def describe(layout: 'Layout') -> str:
    """Write what a layout holds as a section of a page."""
    assert layout.shoulders is not None
    joints = ', '.join(
        f'{v} {joint}' for v, joint in enumerate(layout.joints))
    parents = ', '.join(str(v) for v in layout.parents)
    center, start, end = (
        f'{v} ({layout.joints[v]})'
        for v in (layout.center, *layout.shoulders))
    return (f'### {layout.name}\n\n'
            f'{layout.num_joints} joints: {joints}.\n\n'
            f'- Parents: {parents}.\n'
            f'- Centre: {center}. Shoulders: {start} to {end}.\n'
            f'- Source: <{layout.source}>\n')


def draw(args: Namespace) -> None:
    """Write the picture and print the lists."""
    from umurl_mmaction.skeleton import LAYOUTS
    from umurl_mmaction.visualization import save_figure
    from umurl_mmaction.visualization.layout_chart import draw_layouts
    layouts = list(LAYOUTS.values())
    save_figure(draw_layouts(layouts), args.out)
    print('\n'.join(map(describe, layouts)), end='')


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, f'example:\n  {EXAMPLE}\n')
    parser.add_argument(
        '--out', type=Path, metavar='PATH',
        default=Path('work_dirs/visualizations/layouts.png'),
        help='picture to write (%(default)s)')
    args = parser.parse_args(argv)

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        draw(args)


if __name__ == '__main__':
    main()
