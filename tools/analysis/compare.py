"""Methods x encoders at an equal budget, in one table.

Pre-trains each method with each encoder, for as long or on as many clips as
all others, evaluates every encoder on the test split of a retrieval config,
and writes means and deviations over seeds. Raw joints and untrained encoders
are rows too. What is finished stays: a command that was interrupted goes on,
and one that names more methods, encoders or seeds adds them to the table.
"""
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import (  # noqa: E402
    CfgOptions,
    add_cfg_options,
    at_least,
    make_parser,
)

EPILOG = '''example:
  python tools/analysis/compare.py umurl-knn_1xb64_utd-mhad-keypoint-3d.py \\
      --methods umurl-plus_1xb64-3k_utd-mhad-keypoint-3d.py \\
      hico_1xb64-3k_utd-mhad-keypoint-3d.py --encoders own stgcnpp \\
      --minutes 5 --seeds 0 1 2 --work-dir work_dirs/utd_mhad

--encoders: 'own' is the encoder of the method's config, others are files with
encoder = dict(...), or names of those in configs/_base_/models, such as
stgcnpp. A method that cannot have an encoder is left out, and the table says
why.
'''
WARM_UP, TIMED = 2, 6


def measure_step(candidate: Any) -> float:
    """Seconds of a training step, the median of a few.

    On a CPU it is the time that the process computes, which other work on the
    machine changes little.
    """
    import time
    from statistics import median

    import torch
    from mmengine.device import get_device
    from mmengine.hooks import Hook
    from pretraining import pretrain

    from umurl_mmaction.analysis.candidates import shorten

    def clock() -> float:
        if get_device() == 'cpu':
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    ends: list[float] = []

    class Clock(Hook):
        """Notes when each step ends."""

        def after_train_iter(self, *args: Any, **kwargs: Any) -> None:
            ends.append(clock())

    with TemporaryDirectory() as folder:
        pretrain(
            shorten(candidate.cfg, WARM_UP + TIMED + 1), 0, Path(folder),
            Clock())
    timed = ends[WARM_UP:]
    return median(b - a for a, b in zip(timed, timed[1:]))


def plan(candidate: Any, folder: Path, budget: dict[str, Any]) -> dict:
    """Steps of the budget, chosen once for all seeds of a candidate.

    Raises:
        ValueError: If the folder has runs of other settings or another
            budget.
    """
    from umurl_mmaction.fileio.atomic import write_json
    path = folder / 'plan.json'
    wanted = dict(budget=budget, settings=candidate.digest)
    if path.is_file():
        planned = json.loads(path.read_text())
        if {k: planned[k] for k in wanted} != wanted:
            raise ValueError(
                f'{folder} has runs of other settings or another budget; '
                'wanted is another --work-dir')
        return planned
    batch = candidate.cfg.train_dataloader.batch_size
    print(f'{candidate.name}: measuring a step')
    seconds = measure_step(candidate)
    if 'minutes' in budget:
        steps = budget['minutes'] * 60 / seconds
    else:
        steps = budget['clips'] / batch
    planned = dict(
        wanted,
        steps=max(1, round(steps)),
        seconds_a_step=seconds,
        clips_a_second=batch / seconds)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, planned)
    return planned


def train(candidate: Any, seed: int, steps: int, folder: Path) -> Any:
    """Pre-train, or go on; return checkpoint and commit of the code."""
    from pretraining import pretrain

    from umurl_mmaction.analysis.candidates import shorten
    from umurl_mmaction.engine.hooks.commit_hook import code_version
    from umurl_mmaction.fileio.atomic import write_json
    done = folder / 'done.json'
    if not done.is_file():
        checkpoint, _ = pretrain(shorten(candidate.cfg, steps), seed, folder)
        content = dict(checkpoint=checkpoint.name, commit=code_version())
        write_json(done, content)
    content = json.loads(done.read_text())
    return folder / content['checkpoint'], content['commit']


def open_table(args: Namespace, budget: dict[str, Any]) -> tuple[Any, Any]:
    """Return the retrieval config and the table, with the rows it has."""
    from umurl_mmaction.analysis.comparison import Comparison
    from umurl_mmaction.analysis.encoder_scores import EncoderScores
    from umurl_mmaction.apis.loading import load_config
    cfg = load_config(args.config, args.cfg_options)
    head: dict[str, Any] = dict(
        config=Path(args.config).name,
        cfg_options=args.cfg_options or {},
        train_options=args.train_options or {},
        share=args.share,
        draws=args.draws,
        budget=budget)
    if args.ann_file:
        for loader in (cfg.model.gallery, cfg.test_dataloader):
            loader.dataset.ann_file = str(args.ann_file)
    score = EncoderScores(cfg, (), args.draws, fractions=(args.share, ))
    return cfg, Comparison(args.json, head, score, args.plot)


def encoder_cost(cfg: Any) -> dict[str, Any]:
    """Parameters of an encoder, and FLOPs of the fused feature of a clip."""
    import torch
    from mmaction.registry import MODELS
    from torch._subclasses.fake_tensor import FakeTensorMode

    from umurl_mmaction.analysis.flops import count_flops, count_params
    with FakeTensorMode(), torch.no_grad():
        encoder = MODELS.build(cfg).eval()
        clip = torch.empty(1, *encoder.input_shape)
        flops = count_flops(partial(encoder, clip))
    return dict(params=count_params(encoder), flops=flops)


def choose(args: Namespace) -> tuple[list[Any], dict[str, str]]:
    """Candidates that can be built, and why others cannot.

    Raises:
        ValueError: If none can.
    """
    from mmaction.registry import MODELS

    from umurl_mmaction.analysis.candidates import cross
    from umurl_mmaction.command_line import explain
    candidates, left_out = [], {}
    for candidate in cross(args.methods, args.encoders, args.train_options):
        if args.ann_file:
            candidate.cfg.train_dataloader.dataset.ann_file = str(
                args.ann_file)
        try:
            MODELS.build(candidate.cfg.model)
        except (TypeError, ValueError) as error:
            line = explain(error)
            if line is None:
                raise
            left_out[candidate.name] = line
        else:
            candidates.append(candidate)
    if not candidates:
        raise ValueError('; '.join(
            f'{name}: {why}' for name, why in left_out.items()))
    return candidates, left_out


def compare(args: Namespace, budget: dict[str, Any]) -> Any:
    """Do what is missing."""
    from mmaction.registry import MODELS
    from mmengine.runner import set_random_seed

    from umurl_mmaction.apis.loading import load_config, load_model
    from umurl_mmaction.engine.hooks.commit_hook import code_version
    from umurl_mmaction.evaluation.metric_names import RAW_JOINTS, UNTRAINED
    from umurl_mmaction.models import RawJoints
    candidates, left_out = choose(args)
    knn, table = open_table(args, budget)
    table.left_out.update(left_out)
    for name, why in left_out.items():
        print(f'left out: {name}: {why}')

    def with_encoder(candidate: Any) -> Any:
        cfg = load_config(knn)
        cfg.model.backbone = candidate.encoder_cfg
        return cfg

    def with_facts(method: str, encoder: str, cfg: Any,
                   **more: Any) -> dict[str, Any]:
        cost = dict(params=0, flops=0) if cfg is None else encoder_cost(cfg)
        return dict(method=method, encoder=encoder, **cost, **more)

    if table.missing(RAW_JOINTS, '', [0]):
        print(RAW_JOINTS)
        model = MODELS.build(with_encoder(candidates[0]).model)
        model.backbone = RawJoints.like(model.backbone)
        table.add(with_facts(RAW_JOINTS, '', None), 0, model, code_version())
    for candidate in candidates:
        cfg = with_encoder(candidate)
        seeds = table.missing(UNTRAINED, candidate.encoder, args.seeds)
        if not seeds:
            continue
        facts = with_facts(UNTRAINED, candidate.encoder, cfg.model.backbone)
        for seed in seeds:
            print(f'{UNTRAINED} {candidate.encoder}, seed {seed}')
            set_random_seed(seed)
            table.add(facts, seed, MODELS.build(cfg.model), code_version())
    for i, candidate in enumerate(candidates, start=1):
        cfg = with_encoder(candidate)
        seeds = table.missing(candidate.method, candidate.encoder, args.seeds)
        if not seeds:
            continue
        folder = args.work_dir / candidate.method / candidate.encoder
        planned = plan(candidate, folder, budget)
        facts = with_facts(
            candidate.method,
            candidate.encoder,
            cfg.model.backbone,
            steps=planned['steps'],
            clips_a_second=planned['clips_a_second'])
        minutes = planned['steps'] * planned['seconds_a_step'] / 60
        for seed in seeds:
            print(f'{candidate.name} ({i} of {len(candidates)}), seed {seed}: '
                  f'{planned["steps"]} steps, about {minutes:.1f} min')
            checkpoint, commit = train(candidate, seed, planned['steps'],
                                       folder / f'seed-{seed}')
            model = load_model(load_config(cfg), checkpoint)
            table.add(facts, seed, model, commit)
    table.write()
    return table


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'config', metavar='CONFIG',
        help='path or base name of a retrieval (knn) config')
    parser.add_argument(
        '--methods', nargs='+', required=True, metavar='CONFIG',
        help='pre-training configs that count steps')
    parser.add_argument(
        '--encoders', nargs='+', default=['own'], metavar='NAME',
        help='each method with each of them (own)')
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument(
        '--minutes', type=float,
        help='length of a run: time of training steps, on a CPU as the '
        'process computes, on a GPU as it passes')
    budget.add_argument(
        '--clips', type=at_least(1),
        help='length of a run: clips that are seen')
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='SEED',
        help='a run for each (0 1 2)')
    parser.add_argument(
        '--ann-file', type=Path, metavar='FILE',
        help='annotation file (that of the configs)')
    parser.add_argument(
        '--share', type=float, default=0.1,
        help='of the labels, for the last column (%(default)s)')
    parser.add_argument(
        '--draws', type=at_least(1), default=10,
        help='draws of such labels (%(default)s)')
    parser.add_argument(
        '--work-dir', type=Path, required=True, metavar='DIR',
        help='folder of logs and checkpoints')
    parser.add_argument(
        '--json', type=Path, metavar='FILE',
        help='the rows, which a later command reads (DIR/comparison.json)')
    parser.add_argument(
        '--plot', type=Path, metavar='PNG', help='also draw the rows')
    add_cfg_options(parser)
    parser.add_argument(
        '--train-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE',
        help='settings of the pre-training configs to change')
    args = parser.parse_args(argv)
    args.json = args.json or args.work_dir / 'comparison.json'
    if args.minutes is not None and not args.minutes > 0:
        parser.error(f'--minutes must be above 0, got {args.minutes}')
    if not 0 < args.share <= 1:
        parser.error('--share must be above 0 and at most 1, got '
                     f'{args.share}')

    from umurl_mmaction.analysis.comparison import to_markdown
    from umurl_mmaction.command_line import make_folders, one_line_errors
    make_folders(parser, [args.json, args.plot])
    with one_line_errors(str(args.json)):
        table = compare(
            args, dict(minutes=args.minutes) if args.minutes else dict(
                clips=args.clips))
        print(f'\n{to_markdown(table.rows)}')
        for name, why in table.left_out.items():
            print(f'left out: {name}: {why}')


if __name__ == '__main__':
    main()
