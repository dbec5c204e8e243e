"""Arguments that the tools of this folder share.

Importing this module imports nothing heavy, so that --help is fast.
"""
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import add_cfg_options, make_parser  # noqa: E402

if TYPE_CHECKING:
    from mmengine.config import Config


def figure_parser(description: Optional[str], example: str, out: str,
                  out_help: str) -> ArgumentParser:
    """Make a parser with ``--out``, ``--seed`` and ``--tensorboard``."""
    parser = make_parser(description, f'example:\n  {example}\n')
    parser.add_argument(
        '--out', type=Path, default=Path(out), metavar='PATH',
        help=f'{out_help} (%(default)s)')
    parser.add_argument(
        '--seed', type=int, default=0,
        help='same seed, same pictures (%(default)s)')
    parser.add_argument(
        '--tensorboard', metavar='DIR',
        help="folder to write the pictures to as TensorBoard's images too")
    return parser


def tell_written(number: int, args: Namespace) -> None:
    """Print how many pictures, or pages, are in ``--out`` now."""
    what = 'page' if args.format == 'html' else 'picture'
    print(f'{number} {what}{"" if number == 1 else "s"} in {args.out}')


def add_config(parser: ArgumentParser,
               name: str = 'config',
               what: str = 'an experiment') -> None:
    """Add a config (``--config`` if it is optional) and ``--cfg-options``."""
    parser.add_argument(name, metavar='CONFIG', help=what)
    add_cfg_options(parser)


def add_encoder(parser: ArgumentParser) -> None:
    """Add a config, ``--cfg-options`` and a checkpoint."""
    add_config(parser)
    parser.add_argument(
        'checkpoint', metavar='CKPT', help='weights of the encoder')


def add_class_names(parser: ArgumentParser) -> None:
    """Add a file with the names of the classes."""
    parser.add_argument(
        '--class-names', type=Path, metavar='FILE',
        help='names of all classes: a text with a line each, or annotations '
        'that have them, .pkl or .npz (those the dataset knows)')


def load_config(args: Namespace) -> 'Config':
    """Load ``args.config`` with its changes and imports, and set the seed."""
    from mmengine.registry import init_default_scope
    from mmengine.runner import set_random_seed

    from umurl_mmaction.apis import load_config as load
    cfg = load(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    set_random_seed(args.seed)
    return cfg
