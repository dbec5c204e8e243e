"""Arguments that the converters of this folder share.

Importing this module imports nothing heavy, so that --help is fast.
"""
import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import at_least, make_parser  # noqa: E402

if TYPE_CHECKING:
    from umurl_mmaction.converters.clip_collector import ClipCollector


def add_shared(parser: ArgumentParser, what: Optional[str] = None) -> None:
    """Add ``--out``, ``--workers`` and, for ``what`` may be left out because
    it cannot be read, ``--on-error``."""
    parser.add_argument(
        '--out', type=Path, required=True, metavar='OUT',
        help='file to write, .pkl or .npz')
    parser.add_argument(
        '--workers', type=at_least(1), default=os.cpu_count() or 1,
        help='processes to read with (one per core)')
    if what is not None:
        parser.add_argument(
            '--on-error', choices=['stop', 'skip'], default='stop',
            help=f'what to do about {what} that cannot be read (stop)')


def run_converter(parser: ArgumentParser, args: Namespace,
                  convert: Callable[[], 'ClipCollector']) -> None:
    """Convert, write the annotations and print a summary.

    Args:
        parser (ArgumentParser): Ends the program where something is wrong.
        args (Namespace): Has ``out``, a path.
        convert (Callable): Returns the clips.
    """
    # Imported late: --help is to be quick.
    from umurl_mmaction.command_line import check_suffix, one_line_errors
    from umurl_mmaction.converters.clip_collector import summarize
    from umurl_mmaction.fileio.annotations import save_annotations
    check_suffix(parser, '--out', args.out)
    with one_line_errors(str(args.out)):
        clips = convert()
        save_annotations(clips.data, args.out)
    print(f'{summarize(clips.data, clips.skipped, clips.changed)}\n'
          f'written to {args.out}')


def run_set_converter(argv: Optional[list[str]], description: Optional[str],
                      example: str, src_help: str,
                      convert: Callable[..., 'ClipCollector']) -> None:
    """Run the converter of a public set.

    Args:
        argv (list[str], optional): The command line; None for that of the
            program.
        description (str): Of the program.
        example (str): A command.
        src_help (str): What SRC is.
        convert (Callable): Takes SRC, ``num_workers`` and ``skip_errors``.
    """
    parser = make_parser(description, f'example:\n  {example}\n')
    parser.add_argument('src', type=Path, metavar='SRC', help=src_help)
    add_shared(parser, 'a clip')
    args = parser.parse_args(argv)
    run_converter(
        parser, args, lambda: convert(args.src, args.workers, args.on_error ==
                                      'skip'))
