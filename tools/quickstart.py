"""Pre-train, probe and retrieve on a procedural set, in a few minutes.

Each step runs a config of this package through MMEngine's Runner, and prints
the command that does the same. The table and the picture put the pre-trained
encoder beside the raw joints and an untrained encoder.
"""
import os
import os.path as osp
import subprocess
import sys
import time
import warnings
from argparse import Namespace
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Optional

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    StrMethodFormatter,
)
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from pretraining import quiet_runner
from tool_arguments import at_least, make_parser

import umurl_mmaction  # noqa: F401
from umurl_mmaction.analysis.curves import read_run
from umurl_mmaction.command_line import failing_in_one_line
from umurl_mmaction.evaluation.metric_names import RAW_JOINTS, UNTRAINED
from umurl_mmaction.models import RawJoints
from umurl_mmaction.models.utils.retrieval import Gallery
from umurl_mmaction.visualization.curves import Curve
from umurl_mmaction.visualization.feature_map import flatten
from umurl_mmaction.visualization.style import faint_grid

TOOLS = Path(__file__).resolve().parent
CONFIGS = TOOLS.parent / 'configs' / 'umurl'
PRETRAIN = 'pretrain/umurl-plus_1xb64-3k_synthetic.py'
LINEAR = 'linear/umurl-linear_synthetic.py'
KNN = 'knn/umurl-knn_synthetic.py'
TERMS = ('loss', 'loss_var', 'loss_cov', 'loss_intra', 'loss_inter')

EPILOG = '''example:
  python tools/quickstart.py --work-dir work_dirs/quickstart
'''


def build_runner(config: str, args: Namespace, name: str,
                 **settings: Any) -> Runner:
    """Build the runner of a config, for the set of ``--data``."""
    cfg = Config.fromfile(CONFIGS / config)
    data = dict(ann_file=args.data)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if loader in cfg:
            cfg[loader].dataset.update(data)
    if 'gallery' in cfg.model:
        cfg.model.gallery.dataset.update(data)
    return quiet_runner(cfg, args.seed, Path(args.work_dir, name), **settings)


def announce(what: str, command: str) -> None:
    print(f'\n== {what}\n   {command}', file=sys.__stdout__, flush=True)


def write_untrained(args: Namespace) -> str:
    """Write the model before the first step, and return the path."""
    cfg = Config.fromfile(CONFIGS / PRETRAIN)
    init_default_scope('mmaction')
    set_random_seed(args.seed)
    path = osp.join(args.work_dir, 'untrained.pth')
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), path)
    return path


def pretrain(args: Namespace) -> tuple[str, float]:
    """Pre-train, and return the checkpoint and the seconds."""
    # In few steps a narrower projector learns more (configs/umurl/README.md);
    # the learning rate falls as late as in 3,000 steps.
    options = {
        'train_cfg.max_iters': args.steps,
        'param_scheduler.0.milestones': [round(0.78 * args.steps)],
        'model.neck.out_channels': 1024
    }
    command = f'mim train umurl_mmaction {Path(PRETRAIN).name} --cfg-options '
    announce('pre-training', command + ' '.join(
        f'{key}={value}' for key, value in options.items()))
    start = time.time()
    runner = build_runner(
        PRETRAIN, args, 'pretrain', **options, **{
            'train_cfg.val_interval': max(1, args.steps // 4),
            'default_hooks.logger.interval': max(1, args.steps // 20),
            # As many frames of the raw joints as retrieval below compares.
            'default_hooks.retrieval_baseline.num_frames': None
        })
    runner.train()
    with open(osp.join(runner.work_dir, 'last_checkpoint')) as file:
        return osp.relpath(file.read().strip()), time.time() - start


def encoder_options(checkpoint: Optional[str]) -> dict[str, Any]:
    """Settings of a config for an encoder; without weights, raw joints."""
    if checkpoint is not None:
        return dict(load_from=checkpoint)
    return {
        'load_from': None,
        'model.backbone': dict(_delete_=True, type='RawJoints')
    }


def retrieve(args: Namespace, name: str,
             checkpoint: Optional[str]) -> tuple[float, Gallery]:
    """Retrieve, and return 1-NN top-1 in percent and the encoded gallery."""
    command = f'mim test umurl_mmaction {Path(KNN).name}'
    announce(f'retrieval, {name}', f'{command} --checkpoint {checkpoint}'
             if checkpoint else f'{Path(KNN).name} with '
             "model.backbone = dict(type='RawJoints')")
    runner = build_runner(KNN, args, f'knn-{name.replace(" ", "-")}',
                          **encoder_options(checkpoint))
    accuracy = runner.test()['acc/top1']
    return 100 * accuracy, runner.model.encoded_gallery


def probe(args: Namespace, name: str,
          checkpoint: Optional[str]) -> float:
    """Train a classifier on the frozen encoder, and return its top-1."""
    options = encoder_options(checkpoint)
    command = f'mim train umurl_mmaction {Path(LINEAR).name} --cfg-options '
    announce(f'linear probe, {name}', f'{command}load_from={checkpoint}'
             if checkpoint else f'{Path(LINEAR).name} with '
             "model.backbone = dict(type='RawJoints')")
    if checkpoint is None:
        options['model.cls_head.in_channels'] = RawJoints().out_channels
    runner = build_runner(LINEAR, args, f'linear-{name.replace(" ", "-")}',
                          **options)
    runner.train()
    return 100 * runner.message_hub.get_scalar('val/acc/top1').current()


def draw_losses(axes: Axes, curves: dict[str, Curve]) -> None:
    """Draw the terms of the loss over the steps."""
    for term in TERMS:
        axes.plot(*zip(*curves[term]),
                  marker='.',
                  label=term,
                  linewidth=2 if term == 'loss' else 1.2)
    axes.set(title='terms of the loss', xlabel='step', yscale='log')
    # Numbers, not powers of ten.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.yaxis.set_minor_formatter(NullFormatter())
    # Between the terms near 20 and those near 1.
    axes.legend(fontsize=8, ncols=2, loc='upper right',
                bbox_to_anchor=(1, 0.87))


def draw_retrieval(axes: Axes, curves: dict[str, Curve], raw: float) -> None:
    """Draw the 1-NN accuracies over the steps, and that of raw joints."""
    axes.axhline(raw, color='black', linestyle=':', label=RAW_JOINTS)
    for kind in ('fused', 'joint', 'bone', 'motion'):
        steps, values = zip(*curves[f'retrieval/{kind}_top1'])
        axes.plot(steps, [100 * value for value in values],
                  '.-',
                  label=kind,
                  linewidth=2 if kind == 'fused' else 1)
    axes.set(title='1-NN during pre-training, %', xlabel='step')
    axes.legend(fontsize=8, loc='lower right')


def draw(path: Path, run: Path, galleries: dict[str, Gallery],
         scores: dict[str, list[float]]) -> None:
    """Draw the curves, and each gallery in its two main directions."""
    curves = read_run(run)
    figure = Figure(figsize=(10, 6.6), layout='constrained')
    grid = figure.subplots(2, 3).ravel()
    draw_losses(grid[0], curves)
    draw_retrieval(grid[1], curves, scores[RAW_JOINTS][0])
    for axes in grid[:2]:
        axes.xaxis.set_major_locator(
            MaxNLocator(5, integer=True, min_n_ticks=1))
        faint_grid(axes)
    palette = mpl.colormaps['tab20']
    for axes, (name, gallery) in zip(grid[3:], galleries.items()):
        points = flatten(gallery.features.cpu().numpy(), 'pca')
        labels = gallery.labels.cpu().numpy()
        for label in sorted(set(labels.tolist())):
            axes.scatter(
                *points[labels == label].T,
                color=palette(label),
                s=9,
                linewidths=0,
                label=gallery.classes[label])
        axes.set(
            title=f'{name}: 1-NN {scores[name][0]:.1f} %', xticks=[],
            yticks=[])
    grid[2].axis('off')
    grid[2].legend(
        *grid[3].get_legend_handles_labels(),
        loc='center',
        title='classes of the maps below',
        fontsize=9,
        markerscale=2.2,
        frameon=False)
    figure.supxlabel(
        'Maps: the training clips by PCA. 1-NN: share of the test clips whose '
        'nearest training clip is of their class.', fontsize=9)
    figure.savefig(path, dpi=110)


def verdict(scores: dict[str, list[float]]) -> str:
    """Say in a line what pre-training changed."""
    changes = []
    for i, what in enumerate(('1-NN', 'linear')):
        gains = ' and '.join(
            f'{scores["pre-trained"][i] - scores[name][i]:+.1f} against '
            f'{name}' for name in scores if name != 'pre-trained')
        changes.append(f'{what} {gains}')
    return f'pre-training, in points: {"; ".join(changes)}'


def main() -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        '--data', default='data/synthetic.pkl',
        help='file of the set (default: %(default)s)')
    parser.add_argument(
        '--work-dir', default='work_dirs/quickstart',
        help='folder of logs and checkpoints (default: %(default)s)')
    parser.add_argument(
        '--subjects', type=at_least(2), default=16,
        help='people in the set (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--steps', type=at_least(1), default=400,
        help='of pre-training (default: %(default)s)')
    args = parser.parse_args()

    os.makedirs(args.work_dir, exist_ok=True)
    script = str(TOOLS / 'data' / 'make_synthetic.py')
    announce('writing the set', f'python {osp.relpath(script)} {args.data}')
    subjects = ['--subjects', str(args.subjects)]
    subprocess.run([sys.executable, script, args.data, *subjects], check=True)

    scores, galleries = {}, {}
    # MMEngine prints much about each checkpoint.
    with open(osp.join(args.work_dir, 'quickstart.log'), 'w') as log, \
            redirect_stdout(log), warnings.catch_warnings():
        # On one core; two short-lived workers are no harm there.
        warnings.filterwarnings('ignore', 'This DataLoader will create')
        untrained = write_untrained(args)
        checkpoint, seconds = pretrain(args)
        for name, path, took in ((RAW_JOINTS, None, 0.),
                                 (UNTRAINED, untrained, 0.),
                                 ('pre-trained', checkpoint, seconds)):
            start = time.time()
            nearest, galleries[name] = retrieve(args, name, path)
            linear = probe(args, name, path)
            scores[name] = [nearest, linear, took + time.time() - start]

    picture = Path(args.work_dir, 'quickstart.png')
    draw(picture, Path(args.work_dir, 'pretrain'), galleries, scores)
    script = str(TOOLS / 'analysis' / 'summarize.py')
    announce('summary', f'python {osp.relpath(script)} {args.work_dir} shows '
             'the losses and times of each run')
    print(f'\n{"encoder":<12}{"1-NN top-1":>12}{"linear top-1":>14}'
          f'{"seconds":>9}')
    for name, (nearest, linear, took) in scores.items():
        print(f'{name:<12}{nearest:>10.1f} %{linear:>12.1f} %{took:>9.0f}')
    print(f'{verdict(scores)}\npicture: {picture}')


if __name__ == '__main__':
    with failing_in_one_line():
        main()
