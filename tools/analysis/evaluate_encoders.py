"""How good are the features: encoders beside what costs nothing.

A row for the raw joints, for untrained encoders (mean over seeds) and for each
checkpoint. The columns are top-1 accuracies on the test split of a retrieval
config, with its gallery as training split: 1-nearest neighbour as in the paper
and with standardised features, and a logistic regression on standardised
features with all labels and with a few labels of each class.
"""
import copy
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import add_cfg_options, make_parser  # noqa: E402

EPILOG = '''example:
  python tools/analysis/evaluate_encoders.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth --json encoders.json
'''
SETTINGS = ('graph_cfg', 'in_channels', 'num_person', 'clip_len', 'ann_file')


def build_sets(cfg: Any) -> list[Any]:
    """Build the gallery and the test set of a retrieval config.

    Raises:
        ValueError: If a clip has no label.
    """
    from mmaction.registry import DATASETS

    from umurl_mmaction.registry import mmaction_scope
    with mmaction_scope():
        sets = [
            DATASETS.build(loader.dataset)
            for loader in (cfg.model.gallery, cfg.test_dataloader)
        ]
    for dataset in sets:
        for name, label in dataset.labels:
            if label is None:
                raise ValueError(f'clip {name!r} of {dataset.ann_file!r} has '
                                 'no label, which an accuracy needs')
    return sets


def encode(model: Any, sets: Sequence[Any], kinds: Sequence[str],
           batch_size: int) -> dict[str, Any]:
    """Encode the gallery and the test set.

    Args:
        model (nn.Module): A model with an encoder.
        sets (sequence of Dataset): Both sets.
        kinds (sequence of str): Kinds of feature, such as ``'fused'``.
        batch_size (int): Clips that are encoded together.

    Returns:
        dict[str, tuple]: For each kind (train features, train labels, test
        features, test labels), arrays.
    """
    import torch
    from mmengine.dataset import pseudo_collate

    from umurl_mmaction.models.utils.encoding import encode_dataset
    arrays: dict[str, list[Any]] = {kind: [] for kind in kinds}
    for dataset in sets:
        features, samples = encode_dataset(
            model,
            dataset,
            kinds,
            batch_size=batch_size,
            collate_fn=pseudo_collate)
        labels = torch.cat([sample.gt_label for sample in samples]).numpy()
        for kind, feature in features.items():
            means = feature.mean(dim=1).float().cpu().numpy()
            arrays[kind] += [means, labels]
    return {kind: tuple(values) for kind, values in arrays.items()}


def score(arrays: tuple[Any, Any, Any, Any], per_class: Sequence[int],
          draws: int) -> dict[str, float]:
    """Compute all accuracies of features, within 0..1, by column.

    Args:
        arrays (tuple[np.ndarray]): Train features (G, F) and labels (G,
            ), test features (Q, F) and labels (Q, ).
        per_class (sequence of int): Numbers of labels of each class.
        draws (int): Draws of such labels.

    Returns:
        dict[str, float]: Accuracy by column.
    """
    from umurl_mmaction.evaluation.probes import (
        few_label_accuracy,
        logistic_accuracy,
        nearest_neighbor_accuracy,
    )
    scores = {
        '1-NN': nearest_neighbor_accuracy(*arrays),
        '1-NN standardised': nearest_neighbor_accuracy(*arrays, True),
        'logistic': logistic_accuracy(*arrays)
    }
    for count in per_class:
        scores[f'logistic, {count} a class'] = few_label_accuracy(
            *arrays, count, draws)
    return scores


def evaluate(args: Namespace) -> list[dict[str, Any]]:
    """Evaluate all encoders; a dict for each row."""
    import numpy as np
    from mmaction.registry import MODELS
    from mmengine.runner import set_random_seed
    from mmengine.utils import track_iter_progress

    from umurl_mmaction.apis.loading import load_config, load_model
    from umurl_mmaction.models.utils.encoding import FUSED, kinds_of
    cfg = load_config(args.config, args.cfg_options)
    if 'gallery' not in cfg.model:
        raise ValueError('the config has no model.gallery; wanted is one for '
                         'retrieval, such as umurl-knn_synthetic.py')
    sets = build_sets(cfg)
    batch_size = cfg.test_dataloader.batch_size

    def rows_of(name: str, models: Sequence[Any]) -> list[dict[str, Any]]:
        kinds = kinds_of(models[0].backbone) if args.modalities else [FUSED]
        scores: dict[str, list[dict[str, float]]] = {k: [] for k in kinds}
        for model in models:
            encoded = encode(model, sets, kinds, batch_size)
            for kind, arrays in encoded.items():
                scores[kind].append(score(arrays, args.labels, args.draws))
        return [
            dict(
                encoder=name,
                feature=kind,
                runs=len(models),
                mean={x: float(np.mean([s[x] for s in of])) for x in of[0]},
                deviation={
                    x: float(np.std([s[x] for s in of]))
                    for x in of[0]
                }) for kind, of in scores.items()
        ]

    def untrained(seed: int) -> Any:
        set_random_seed(seed)
        return MODELS.build(cfg.model)

    raw = copy.deepcopy(cfg)
    backbone = cfg.model.backbone
    raw.model.backbone = dict(
        type='RawJoints', **{x: backbone[x] for x in SETTINGS
                             if x in backbone})

    def build(name: str) -> list[Any]:
        if name == 'raw joints':
            return [MODELS.build(raw.model)]
        if name == 'untrained':
            return [untrained(seed) for seed in range(args.seeds)]
        return [load_model(copy.deepcopy(cfg), name)]

    names = ['raw joints', 'untrained', *args.checkpoints]
    return [
        row for name in track_iter_progress(names)
        for row in rows_of(name, build(name))
    ]


def to_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Make a table of the rows, in percent."""
    columns = list(rows[0]['mean'])
    lines = [
        f'| encoder | feature | {" | ".join(columns)} |',
        f'| --- | --- | {" | ".join(["---:"] * len(columns))} |'
    ]
    for row in rows:
        cells = []
        for column in columns:
            cell = f'{100 * row["mean"][column]:.1f}'
            if row['runs'] > 1:
                cell += f' ± {100 * row["deviation"][column]:.1f}'
            cells.append(cell)
        lines.append(f'| {row["encoder"]} | {row["feature"]} '
                     f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


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
        '--labels', type=int, nargs='*', default=[1, 5, 10], metavar='N',
        help='labels of each class (1 5 10)')
    parser.add_argument(
        '--draws', type=int, default=10,
        help='draws of such labels (%(default)s)')
    parser.add_argument(
        '--seeds', type=int, default=3,
        help='untrained encoders (%(default)s)')
    parser.add_argument(
        '--json', type=Path, metavar='FILE',
        help='also write the rows to this file')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    for name in ('draws', 'seeds'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1, got '
                         f'{getattr(args, name)}')
    if any(count < 1 for count in args.labels):
        parser.error(f'--labels must be at least 1, got {args.labels}')

    from umurl_mmaction.command_line import make_folders, one_line_errors
    from umurl_mmaction.engine.hooks.commit_hook import PACKAGE, git_commit
    from umurl_mmaction.fileio.atomic import write_text
    make_folders(parser, [args.json])
    with one_line_errors(parser, str(args.json or 'the disk')):
        rows = evaluate(args)
        print(f'\n{to_markdown(rows)}')
        if args.json:
            content = dict(
                config=args.config,
                cfg_options=args.cfg_options or {},
                commit=git_commit(PACKAGE),
                draws=args.draws,
                rows=rows)
            write_text(args.json, json.dumps(content, indent=1) + '\n')


if __name__ == '__main__':
    main()
