"""How good are the features: encoders beside what costs nothing.

A row for the raw joints, for untrained encoders (mean over seeds) and for each
checkpoint. The columns are top-1 accuracies on the test split of a retrieval
config, with its gallery as training split: 1-nearest neighbour as in the paper
and with standardised features, and a logistic regression on standardised
features with all labels and with a few labels of each class.
"""
import copy
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import add_cfg_options, at_least, make_parser  # noqa: E402

EPILOG = '''example:
  python tools/analysis/evaluate_encoders.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth --json encoders.json
'''


def evaluate(args: Namespace) -> list[dict[str, Any]]:
    """Evaluate all encoders; a dict for each row."""
    from mmaction.registry import MODELS
    from mmengine.logging import print_log
    from mmengine.runner import set_random_seed

    from umurl_mmaction.analysis.encoder_scores import EncoderScores, make_row
    from umurl_mmaction.apis.loading import load_config, load_model
    from umurl_mmaction.evaluation.metric_names import RAW_JOINTS, UNTRAINED
    from umurl_mmaction.models import RawJoints
    from umurl_mmaction.models.utils.encoding import FUSED, kinds_of
    cfg = load_config(args.config, args.cfg_options)
    score = EncoderScores(cfg, args.labels, args.draws, args.group)

    def rows_of(name: str, models: Sequence[Any]) -> list[dict[str, Any]]:
        kinds = kinds_of(models[0].backbone) if args.modalities else [FUSED]
        scores = [score(model, kinds) for model in models]
        return [make_row(name, kind, [s[kind] for s in scores])
                for kind in kinds]

    def untrained(seed: int) -> Any:
        set_random_seed(seed)
        return MODELS.build(cfg.model)

    def build(name: str) -> list[Any]:
        print_log(f'Evaluating {name}', 'current')
        if name == RAW_JOINTS:
            model = MODELS.build(cfg.model)
            model.backbone = RawJoints.like(model.backbone)
            return [model]
        if name == UNTRAINED:
            return [untrained(seed) for seed in args.seeds]
        return [load_model(copy.deepcopy(cfg), name)]

    names = [RAW_JOINTS, UNTRAINED, *args.checkpoints]
    return [
        row for name in names for row in rows_of(name, build(name))
    ]


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'config', metavar='CONFIG',
        help='path or base name of a retrieval (knn) config')
    parser.add_argument(
        'checkpoints', nargs='*', metavar='CKPT',
        help='weights of pre-trained encoders')
    parser.add_argument(
        '--modalities', action='store_true',
        help='rows for each modality alone too')
    parser.add_argument(
        '--labels', type=at_least(1), nargs='*', default=[1, 5, 10],
        metavar='N',
        help='labels of each class (1 5 10)')
    parser.add_argument(
        '--draws', type=at_least(1), default=10,
        help='draws of such labels (%(default)s)')
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='SEED',
        help='seeds of the untrained encoders (0 1 2)')
    parser.add_argument(
        '--group', metavar='REGEX',
        help='leave out one group of the training split after the other, and '
        "do not touch the test split; '_s(\\d+)_' makes the clips of each "
        'subject a group')
    parser.add_argument(
        '--json', type=Path, metavar='FILE',
        help='also write the rows to this file')
    add_cfg_options(parser)
    args = parser.parse_args(argv)

    from umurl_mmaction.analysis.encoder_scores import to_markdown
    from umurl_mmaction.command_line import make_folders, one_line_errors
    from umurl_mmaction.engine.hooks.commit_hook import code_version
    from umurl_mmaction.fileio.atomic import write_json
    make_folders(parser, [args.json])
    with one_line_errors(str(args.json or 'the disk')):
        rows = evaluate(args)
        print(to_markdown(rows))
        if args.json:
            content = dict(
                config=args.config,
                cfg_options=args.cfg_options or {},
                commit=code_version(),
                labels=args.labels,
                draws=args.draws,
                seeds=args.seeds,
                group=args.group,
                rows=rows)
            write_json(args.json, content)


if __name__ == '__main__':
    main()
