"""Write the configs of an experiment on an annotation file.

A new folder gets a config to pre-train an encoder, one to probe it with a
linear classifier and one to retrieve with it, for exactly these data. Without
labels, or without a split to test on, there is no probe, and the last one
finds the nearest clips of any clip. Prints what is likely to spoil a training,
in lines that start with !, and the commands that run the configs.
"""
import sys
from argparse import Namespace
from pathlib import Path
from typing import Optional

sys.path.append(str(Path(__file__).resolve().parent))

from tool_arguments import make_parser  # noqa: E402

EPILOG = '''example:
  python -m umurl_mmaction start data/mine.pkl --layout kinect-v1
'''


def start(args: Namespace) -> None:
    """Plan the experiment, write its configs and print the commands."""
    import umurl_mmaction  # noqa: F401
    from umurl_mmaction.apis.experiment import plan_experiment
    from umurl_mmaction.apis.experiment_configs import write_configs
    plan = plan_experiment(
        args.file.as_posix(), args.layout, args.train, args.test)
    commands = write_configs(plan, args.out)
    for line in plan.summary:
        print(line)
    for finding in plan.findings:
        refused = ' (a training refuses this)' if finding.refused else ''
        print(f'! {finding.text}{refused}')
    if plan.without_test:
        print(f'no accuracies: {plan.without_test}')
    else:
        why = plan.why_splits and f': {plan.why_splits}'
        print(f'trained on {plan.train!r}, tested on {plan.test!r}{why}')
    print(f'normalisation: {plan.why_normalized}')
    print(f'written to {args.out}; to run:')
    for command in commands:
        print(f'  {command}')


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    # The name by which the package runs it.
    parser.prog = 'python -m umurl_mmaction start'
    parser.add_argument(
        'file', type=Path, metavar='FILE', help='annotations, .pkl or .npz')
    parser.add_argument(
        '--out', type=Path, metavar='FOLDER',
        help='new folder for the configs (the name of FILE, here)')
    parser.add_argument(
        '--layout', metavar='NAME',
        help='layout of the joints, such as kinect-v1 (that of FILE, else '
        'the only one with so many joints)')
    parser.add_argument(
        '--train', metavar='SPLIT',
        help='split to train on (the first that has one to test on without '
        'copies of its clips)')
    parser.add_argument(
        '--test', metavar='SPLIT',
        help='split to test on (the one that goes with that)')
    args = parser.parse_args(argv)
    args.out = args.out or Path(args.file.stem)
    if args.out.exists():
        parser.error(f'{args.out} is there already: give another --out, or '
                     'remove it')

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        start(args)


if __name__ == '__main__':
    main()
