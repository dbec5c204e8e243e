"""Arguments that the tools share.

Importing this module imports nothing heavy, so that --help is fast.
"""
from argparse import (
    Action,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
)
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from umurl_mmaction.apis import UmURLInferencer, WindowDataset


class CfgOptions(Action):
    """MMEngine's ``DictAction``, imported only when the option is given."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace,
                 values: Any, option_string: Optional[str] = None) -> None:
        from mmengine.config import DictAction

        from umurl_mmaction.silent_settings import check_key_values
        check_key_values(parser, str(option_string), values)
        DictAction(self.option_strings, self.dest, nargs='+')(
            parser, namespace, values, option_string)


def make_parser(description: Optional[str], epilog: str) -> ArgumentParser:
    """Make the parser of a tool, without abbreviations of options."""
    return ArgumentParser(
        allow_abbrev=False,
        description=description,
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter)


def at_least(low: int) -> Callable[[str], int]:
    """Return the ``type`` of an option that is a whole number, from ``low``
    on."""

    def number(text: str) -> int:
        value = int(text)
        if value < low:
            raise ArgumentTypeError(f'must be at least {low}, got {value}')
        return value

    number.__name__ = 'int'  # argparse names it where there is no number
    return number


def add_model(
    parser: ArgumentParser,
    config: str = 'path or base name of a linear, fine-tuning or retrieval '
    'config'
) -> None:
    """Add CONFIG, with its help, and CKPT."""
    parser.add_argument('config', metavar='CONFIG', help=config)
    parser.add_argument('checkpoint', metavar='CKPT', help='its weights')


def add_batches(parser: ArgumentParser) -> None:
    """Add ``--batch-size`` and ``--precision``."""
    parser.add_argument(
        '--batch-size', type=at_least(1), default=64, help='(%(default)s)')
    parser.add_argument(
        '--precision', choices=['fp32', 'bf16', 'fp16'], default='fp32',
        help='(%(default)s)')


def add_windows(parser: ArgumentParser, what: str) -> None:
    """Add ``--window``, with its help, and ``--stride``."""
    parser.add_argument(
        '--window', type=at_least(1), metavar='FRAMES', help=what)
    parser.add_argument(
        '--stride', type=at_least(1), metavar='FRAMES',
        help='frames from one window to the next (a quarter of a window)')


def settle_windows(parser: ArgumentParser, args: Namespace) -> None:
    """End the program if the windows cannot be; set the default stride."""
    if args.window is None:
        if args.stride is not None:
            parser.error('--stride is of no use without --window')
        return
    if args.stride is None:
        args.stride = max(args.window // 4, 1)


def describe_windows(windows: 'WindowDataset') -> str:
    """Say how many windows there are, and what is not as asked for."""
    line = (f'{len(windows)} windows of {windows.window} frames, one each '
            f'{windows.stride}, of {windows.num_recordings} recordings')
    if windows.num_short:
        line += (f'; {windows.num_short} shorter than a window: one window '
                 'of all frames each')
    if windows.stride > windows.window:
        line += '; frames between windows are in none'
    return line


# Of stick figures.
FORMATS = ('png', 'gif', 'mp4', 'html')


def add_format(parser: ArgumentParser) -> None:
    """Add ``--format`` of stick figures, and ``--frames``."""
    parser.add_argument(
        '--format', choices=FORMATS, default='png',
        help='a picture; an animation; or a page that plays, and can be '
        'turned (%(default)s)')
    parser.add_argument(
        '--frames', type=at_least(1),
        help='frames to draw, evenly over a clip (5; 32 in an animation or '
        'page)')


def add_up(parser: ArgumentParser) -> None:
    """Add the axis that is drawn upwards."""
    parser.add_argument(
        '--up', choices=['y', '-y', 'z'],
        help='the axis that points up (y in three dimensions, -y in two)')


def settle_format(parser: ArgumentParser, args: Namespace) -> None:
    """End the program where ``--out`` is meant as a file, which would become a
    folder of that name; set the default of ``--frames``."""
    ending = args.out.suffix[1:]
    if ending in FORMATS:
        parser.error(f'--out is a folder, got {args.out}: wanted are --format '
                     f'{ending} and a folder')
    if args.frames is None:
        args.frames = 5 if args.format == 'png' else 32


def add_device(
        parser: ArgumentParser,
        default: Optional[str] = None,
        what: str = 'such as cpu or cuda:0 (the best available)') -> None:
    """Add ``--device``; no default means the best available device."""
    parser.add_argument('--device', default=default, help=what)


def add_cfg_options(parser: ArgumentParser) -> None:
    """Add ``--cfg-options``, changes of CONFIG."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE',
        help='settings of the config to change')


def build_inferencer(args: Namespace, **settings: Any) -> 'UmURLInferencer':
    """Build the inferencer for the arguments above.

    ``settings`` are further arguments of ``UmURLInferencer``.
    """
    from umurl_mmaction.apis import UmURLInferencer
    for name in ('batch_size', 'precision'):
        if name in args:
            settings[name] = getattr(args, name)
    return UmURLInferencer(
        args.config,
        args.checkpoint,
        device=args.device,
        cfg_options=args.cfg_options,
        **settings)
