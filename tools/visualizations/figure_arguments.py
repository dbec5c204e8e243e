"""Arguments that the tools of this folder share; imports nothing heavy."""
from argparse import (
    ArgumentParser,
    Namespace,
    RawDescriptionHelpFormatter,
)
from pathlib import Path
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from mmengine.config import Config


def figure_parser(description: Optional[str], example: str, out: str,
                  out_help: str) -> ArgumentParser:
    """A parser with ``--out``, ``--seed`` and ``--tensorboard``.

    Args:
        description (str): What the tool does.
        example (str): A command line.
        out (str): Where the pictures go by default.
        out_help (str): What is written there.

    Returns:
        ArgumentParser: To be completed by the tool.
    """
    parser = ArgumentParser(
        allow_abbrev=False,
        description=description,
        epilog=f'example:\n  {example}\n',
        formatter_class=RawDescriptionHelpFormatter)
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


def add_config(parser: ArgumentParser,
               name: str = 'config',
               what: str = 'an experiment') -> None:
    """Add a config, ``--config`` if it is optional, and changes of it."""
    parser.add_argument(name, metavar='CONFIG', help=what)
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
        help='settings of the config to change')


def add_class_names(parser: ArgumentParser) -> None:
    """Add a file with the names of the classes."""
    parser.add_argument(
        '--class-names', type=Path, metavar='FILE',
        help='names of all classes, one a line (those the dataset knows)')


def add_up(parser: ArgumentParser) -> None:
    """Add the axis that is drawn upwards."""
    parser.add_argument(
        '--up', choices=['y', '-y', 'z'],
        help='the axis that points up (y in three dimensions, -y in two)')


def load_config(parser: ArgumentParser,
                args: Namespace) -> 'Config':
    """The config with the changes, what it needs imported, the seed set."""
    # Imported late: --help needs nothing.
    from mmengine.config import Config, DictAction
    from mmengine.registry import init_default_scope
    from mmengine.runner import set_random_seed

    cfg = Config.fromfile(args.config)
    options = Namespace()
    DictAction(['--cfg-options'], 'options')(parser, options, args.cfg_options)
    cfg.merge_from_dict(options.options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    set_random_seed(args.seed)
    return cfg
