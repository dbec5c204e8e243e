"""Pre-train, probe and retrieve on a procedural set, in a few minutes.

Each step runs a config of this package through MMEngine's Runner, and prints
the command that does the same.
"""
import argparse
import os
import os.path as osp
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, save_checkpoint, set_random_seed
from progress_hook import ProgressHook

import umurl_mmaction  # noqa: F401
from umurl_mmaction.analysis.curves import read_run
from umurl_mmaction.analysis.run_summary import summarize_run, to_markdown
from umurl_mmaction.command_line import failing_in_one_line
from umurl_mmaction.models.utils.retrieval import Gallery
from umurl_mmaction.visualization.feature_map import flatten

TOOLS = Path(__file__).resolve().parent
CONFIGS = TOOLS.parent / 'configs' / 'umurl'
PRETRAIN = 'pretrain/umurl_1xb64_synthetic.py'
LINEAR = 'linear/umurl-linear_synthetic.py'
KNN = 'knn/umurl-knn_synthetic.py'

EPILOG = '''example:
  python tools/quickstart.py --work-dir work_dirs/quickstart
'''


def build_runner(config: str, args: argparse.Namespace, name: str,
                 **settings: Any) -> Runner:
    """Build the runner of a config, which shows only a progress bar."""
    cfg = Config.fromfile(CONFIGS / config)
    data = dict(ann_file=args.data)
    cfg.merge_from_dict({
        'work_dir': osp.join(args.work_dir, name),
        'experiment_name': name,
        'log_level': 'ERROR',
        'randomness': dict(seed=args.seed),
        **settings
    })
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if loader in cfg:
            cfg[loader].dataset.update(data)
    if 'gallery' in cfg.model:
        cfg.model.gallery.dataset.update(data)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(ProgressHook())
    return runner


def announce(what: str, command: str) -> None:
    print(f'\n== {what}\n   {command}', file=sys.__stdout__, flush=True)


def write_untrained(args: argparse.Namespace) -> str:
    """Write the model before the first step, and return the path."""
    cfg = Config.fromfile(CONFIGS / PRETRAIN)
    init_default_scope('mmaction')
    set_random_seed(args.seed)
    path = osp.join(args.work_dir, 'untrained.pth')
    save_checkpoint(
        dict(state_dict=MODELS.build(cfg.model).state_dict()), path)
    return path


def pretrain(args: argparse.Namespace) -> tuple[str, float]:
    """Pre-train, and return the checkpoint and the seconds."""
    command = f'mim train umurl_mmaction {Path(PRETRAIN).name}'
    settings = {}
    if args.epochs is not None:
        command += f' --cfg-options train_cfg.max_epochs={args.epochs}'
        settings['train_cfg.max_epochs'] = args.epochs
    announce('pre-training', command)
    start = time.time()
    runner = build_runner(PRETRAIN, args, 'pretrain', **settings)
    runner.train()
    with open(osp.join(runner.work_dir, 'last_checkpoint')) as file:
        return file.read().strip(), time.time() - start


def retrieve(args: argparse.Namespace, name: str,
             checkpoint: str) -> tuple[float, Gallery]:
    """Retrieve, and return 1-NN top-1 in percent and the encoded gallery."""
    announce(
        f'retrieval, {name}', f'mim test umurl_mmaction {Path(KNN).name} '
        f'--checkpoint {checkpoint}')
    runner = build_runner(KNN, args, f'knn-{name}', load_from=checkpoint)
    accuracy = runner.test()['acc/top1']
    return 100 * accuracy, runner.model.encoded_gallery


def probe(args: argparse.Namespace, name: str, checkpoint: str) -> float:
    """Train a classifier on the frozen encoder, and return its top-1."""
    announce(
        f'linear probe, {name}', f'mim train umurl_mmaction '
        f'{Path(LINEAR).name} --cfg-options load_from={checkpoint}')
    runner = build_runner(
        LINEAR, args, f'linear-{name}', load_from=checkpoint)
    runner.train()
    return 100 * runner.message_hub.get_scalar('val/acc/top1').current()


def draw(path: Path, run: Path, galleries: dict[str, Gallery],
         scores: dict[str, list[float]]) -> None:
    """Draw the losses, and each gallery in its two main directions."""
    curves = read_run(run)
    figure = Figure(figsize=(14, 4.5))
    axes = figure.subplots(1, 1 + len(galleries))
    for term in ('loss', 'loss_intra', 'loss_inter', 'loss_var', 'loss_cov'):
        axes[0].plot(*zip(*curves[term]),
                     label=term,
                     marker='.',
                     linewidth=2 if term == 'loss' else 1)
    axes[0].set(title='pre-training', xlabel='iteration', yscale='log')
    axes[0].legend(fontsize=8)
    for axis, (name, gallery) in zip(axes[1:], galleries.items()):
        points = flatten(gallery.features.cpu().numpy(), 'pca')
        axis.scatter(*points.T, c=gallery.labels.cpu(), cmap='tab20', s=8)
        axis.set(
            title=f'{name}: 1-NN {scores[name][0]:.1f} %',
            xlabel='first principal direction',
            ylabel='second',
            xticks=[],
            yticks=[])
    figure.suptitle('Fused features of the training clips, coloured by class')
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--data', default='data/synthetic.pkl',
        help='file of the set (default: %(default)s)')
    parser.add_argument(
        '--work-dir', default='work_dirs/quickstart',
        help='folder of logs and checkpoints (default: %(default)s)')
    parser.add_argument(
        '--subjects', type=int, default=16,
        help='people in the set (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--epochs', type=int, help="of pre-training (default: the config's)")
    args = parser.parse_args()

    os.makedirs(args.work_dir, exist_ok=True)
    script = str(TOOLS / 'data' / 'make_synthetic.py')
    announce('writing the set', f'python {osp.relpath(script)} {args.data}')
    subjects = ['--subjects', str(args.subjects)]
    subprocess.run([sys.executable, script, args.data, *subjects], check=True)

    scores, galleries = {}, {}
    # MMEngine prints much about each checkpoint.
    with open(osp.join(args.work_dir, 'quickstart.log'), 'w') as log, \
            redirect_stdout(log):
        untrained = write_untrained(args)
        checkpoint, seconds = pretrain(args)
        for name, path, took in (('untrained', untrained, 0.),
                                 ('pre-trained', checkpoint, seconds)):
            start = time.time()
            nearest, galleries[name] = retrieve(args, name, path)
            linear = probe(args, name, path)
            scores[name] = [nearest, linear, took + time.time() - start]

    picture = Path(args.work_dir, 'quickstart.png')
    runs = [Path(args.work_dir, 'pretrain')]
    draw(picture, runs[0], galleries, scores)
    runs += [Path(args.work_dir, f'{step}-{name}')
             for name in scores for step in ('knn', 'linear')]
    script = str(TOOLS / 'analysis' / 'summarize.py')
    announce('summary', f'python {osp.relpath(script)} {args.work_dir}')
    print(to_markdown([summarize_run(run) for run in runs]))
    print(f'\n{"encoder":<12}{"1-NN top-1":>12}{"linear top-1":>14}'
          f'{"seconds":>9}')
    for name, (nearest, linear, took) in scores.items():
        print(f'{name:<12}{nearest:>10.1f} %{linear:>12.1f} %{took:>9.0f}')
    print(f'\npicture: {picture}')


if __name__ == '__main__':
    with failing_in_one_line():
        main()
