"""Reproduce a row of the results: from the annotation file to the numbers.

It pre-trains as the row says, evaluates the encoder, and says whether each
accuracy lies within two stated deviations of the stated mean, or within two
clips. An interrupted run goes on from its last checkpoint.
"""
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import make_parser  # noqa: E402

EPILOG = '''example:
  python tools/analysis/reproduce.py --list
  python tools/analysis/reproduce.py utd_mhad/umurl-plus \\
      --ann-file data/skeleton/utd_mhad.pkl
'''


def print_rows(rows: dict[str, tuple[dict, dict]]) -> None:
    """List the rows with their numbers and the time of a run."""
    from umurl_mmaction.analysis.markdown import percent
    for name, (_, row) in rows.items():
        scores = ', '.join(f'{column} {percent(mean)}'
                           for column, mean in row['mean'].items())
        print(f'{name}: {scores} (mean of {row["runs"]} runs of '
              f'{row["seconds"] / 60:.0f} min)')


def measure(content: dict[str, Any], row: dict[str, Any],
            args: Namespace) -> list[dict[str, Any]]:
    """Pre-train and evaluate once for each seed; a row for each feature."""
    from pretraining import pretrain

    from umurl_mmaction.analysis.encoder_scores import EncoderScores, make_row
    from umurl_mmaction.apis.loading import load_config, load_model
    from umurl_mmaction.models.utils.encoding import kinds_of
    cfg = load_config(content['config'], content['cfg_options'])
    pretrain_cfg = load_config(row['pretrain'], row['options'])
    train_set = pretrain_cfg.train_dataloader.dataset
    evaluated = [cfg.model.gallery.dataset, cfg.test_dataloader.dataset]
    is_transfer = train_set.ann_file != evaluated[0].ann_file
    if args.ann_file:
        for dataset in evaluated + ([] if is_transfer else [train_set]):
            dataset.ann_file = str(args.ann_file)
    if args.pretrain_file:
        train_set.ann_file = str(args.pretrain_file)
    score = EncoderScores(cfg, content['labels'], content['draws'])
    scores = []
    for seed in args.seeds:
        print(f'seed {seed}: pre-training takes about '
              f'{row["seconds"] / 60:.0f} min')
        checkpoint, steps = pretrain(pretrain_cfg, seed,
                                     Path(args.work_dir, f'seed-{seed}'))
        model = load_model(load_config(cfg), checkpoint)
        scores.append(score(model, kinds_of(model.backbone)))
    return [
        dict(
            make_row(row['encoder'], kind, [s[kind] for s in scores]),
            pretrain=row['pretrain'],
            options=row['options'],
            seeds=args.seeds,
            steps=steps,
            seconds=row['seconds'],
            num_queries=len(score.sets[1])) for kind in scores[0]
    ]


def report(measured: Sequence[dict[str, Any]], row: dict[str, Any]) -> bool:
    """Print the comparison; tell whether everything agrees."""
    from umurl_mmaction.analysis.markdown import percent
    from umurl_mmaction.analysis.results import compare
    fused = measured[0]
    lines = compare(fused['mean'], row, floor=1 / fused['num_queries'])
    print(f'\n{"":<22}{"measured":>9}{"stated":>16}')
    for column, value, mean, tolerance, agrees in lines:
        print(f'{column:<22}{percent(value):>9}'
              f'{percent(mean, tolerance):>16}  '
              f'{"agrees" if agrees else "DIFFERS"}')
    return all(line[-1] for line in lines)


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'row', nargs='?', metavar='ROW',
        help='name of a row, FILE/ENCODER of configs/umurl/results')
    parser.add_argument(
        '--list', action='store_true', help='print the rows and end')
    parser.add_argument(
        '--ann-file', type=Path, metavar='FILE',
        help="annotation file (that of the row's configs)")
    parser.add_argument(
        '--pretrain-file', type=Path, metavar='FILE',
        help='annotation file of the pre-training, where that is on another '
        "set (that of the row's config)")
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[0], metavar='SEED',
        help='a run for each (0)')
    parser.add_argument(
        '--work-dir', type=Path, metavar='DIR',
        help='folder of logs and checkpoints (work_dirs/reproduce/ROW)')
    parser.add_argument(
        '--json', type=Path, metavar='FILE',
        help='also write the measured rows to this file')
    args = parser.parse_args(argv)

    from umurl_mmaction.analysis.results import named_rows
    from umurl_mmaction.apis.loading import configs_folder
    from umurl_mmaction.command_line import make_folders, one_line_errors
    from umurl_mmaction.engine.hooks.commit_hook import code_version
    from umurl_mmaction.fileio.atomic import write_json
    rows = named_rows(configs_folder() / 'umurl')
    if args.list:
        print_rows(rows)
        return
    if args.row is None:
        parser.error('name a ROW; --list shows them all')
    if args.row not in rows:
        parser.error(f'ROW {args.row!r} is not one of {", ".join(rows)}')
    content, row = rows[args.row]
    args.work_dir = args.work_dir or Path('work_dirs/reproduce', args.row)
    make_folders(parser, [args.json])
    with one_line_errors(str(args.work_dir)):
        measured = measure(content, row, args)
    if args.json:
        commit = code_version()
        for entry in measured:
            entry['commit'] = commit
        write_json(args.json, measured)
    if not report(measured, row):
        sys.exit(1)


if __name__ == '__main__':
    main()
