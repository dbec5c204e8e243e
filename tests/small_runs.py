"""Small trainings in processes of their own, to be interrupted.

A module of its own because other processes import it by name: a server
process does so once and forks every training from there.
"""
import gc
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import matplotlib.figure
import numpy as np
import torch
import torch._dynamo
from mmaction.registry import HOOKS, OPTIM_WRAPPERS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner
from tiny_models import VIEWS

import umurl_mmaction  # noqa: F401
from umurl_mmaction.fileio.checkpoints import load_checkpoint
from umurl_mmaction.models.utils import encoding

# What a runner imports late is imported here once, too, and is no garbage.
assert matplotlib.figure and torch._dynamo
gc.freeze()

REPO = Path(__file__).resolve().parents[1]
CONFIGS = REPO / 'configs/umurl'


@HOOKS.register_module()
class Report(Hook):
    """Tell another process of each iteration; act before some of them."""

    priority = 'LOWEST'
    pipe = None
    actions: dict = {}

    def before_train_iter(self, runner, **kwargs):
        self.actions.get(runner.iter, lambda: None)()

    def after_train_iter(self, runner, **kwargs):
        if self.pipe is not None:
            self.pipe.send(runner.iter + 1)


@HOOKS.register_module()
class Jitter(Hook):
    """Make the weights depend on the random states of the process."""

    def before_train_iter(self, runner, **kwargs):
        noise = random.random() + np.random.rand() + torch.rand(())
        for weight in runner.model.parameters():
            weight.data += 1e-4 * noise


@HOOKS.register_module()
class StopInValidation(Hook):
    """Ask the process to stop while it validates for the first time."""

    def before_val_iter(self, runner, **kwargs):
        if runner.epoch == 1:
            kill(signal.SIGTERM)


@HOOKS.register_module()
class StopInGallery(Hook):
    """Ask all processes to stop while workers load the gallery."""

    def before_val_epoch(self, runner):
        extract = encoding.extract_features

        def stop(*args, **kwargs):
            encoding.extract_features = extract
            ask_all_to_stop()
            time.sleep(0.3)
            return extract(*args, **kwargs)

        encoding.extract_features = stop


@OPTIM_WRAPPERS.register_module()
class ScaledOnCPU(AmpOptimWrapper):
    """Half precision with a scaler that is at work on the CPU too."""

    def __init__(self, **kwargs):
        super().__init__(dtype='bfloat16', **kwargs)
        self.loss_scaler = torch.amp.GradScaler(
            'cpu', init_scale=1024., growth_interval=4)


def read_config(name):
    """Without the layout of its text, which takes half of a tiny run."""
    return Config.fromfile(CONFIGS / name, format_python_code=False)


def config(ann_file, work_dir, num_workers=0, change=None, **settings):
    """Pre-training on the 12 clips of a small set, 4 iterations an epoch.

    The workers make the views; the other way is that of the real commands.
    """
    cfg = read_config('pretrain/umurl_1xb64_synthetic.py')
    cfg.model.backbone.update(embed_dims=8, clip_len=8)
    cfg.model.neck.update(in_channels=16, out_channels=8)
    # For the validations.
    cfg.model.data_preprocessor.views = VIEWS
    cfg.train_dataloader.update(
        batch_size=3,
        num_workers=num_workers,
        persistent_workers=num_workers > 0)
    cfg.train_dataloader.dataset.update(
        ann_file=str(ann_file),
        pipeline=[VIEWS, dict(type='PackSkeletonInputs')])
    cfg.train_cfg.max_epochs = 6
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=9),
        dict(type='MultiStepLR', milestones=[3, 5], gamma=0.5)
    ]
    cfg.default_hooks.checkpoint.interval = 1
    cfg.train_cfg.val_interval = 2
    cfg.val_dataloader.update(batch_size=3, num_workers=0)
    cfg.val_dataloader.dataset.ann_file = str(ann_file)
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    cfg.custom_hooks = [dict(type='Report'), dict(type='Jitter')]
    cfg.update(work_dir=str(work_dir), randomness=dict(seed=1))
    cfg.merge_from_dict(settings)
    if change:
        change(cfg)
    return cfg


def linear_config(ann_file, work_dir, **settings):
    """A classifier of the same clips, validated after each of 3 epochs."""
    cfg = read_config('linear/umurl-linear_synthetic.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(batch_size=3, num_workers=0, persistent_workers=False)
        loader.dataset.ann_file = str(ann_file)
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    cfg.model.backbone.embed_dims = 8
    cfg.model.cls_head.update(in_channels=16, num_classes=3)
    cfg.train_cfg.update(max_epochs=3, val_interval=1)
    cfg.default_hooks.checkpoint.interval = 1
    cfg.update(
        work_dir=str(work_dir),
        load_from=None,
        randomness=dict(seed=1),
        custom_hooks=[])
    cfg.merge_from_dict(settings)
    return cfg


def _train(cfg, log, env, pipe, actions):
    # A session of its own, which can be signalled as a whole.
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(env)
    # Not what all forks have from the server.
    np.random.seed()
    torch.set_num_threads(1)
    Report.pipe = pipe
    Report.actions = actions
    # Two things that take longer than the training: a nice text of the
    # configuration in every checkpoint, and looking for the server's garbage.
    cfg = Config(
        cfg.to_dict(), filename=cfg.filename, format_python_code=False)
    gc.freeze()
    Runner.from_cfg(cfg).train()


class Training:
    """A training that runs in another process.

    Args:
        cfg (Config): What to train.
        env (dict): Variables of its environment.
        actions (dict): What it is to do itself before some iterations.
    """

    def __init__(self, cfg, env=None, actions=None):
        # By name, not by a copy of the test's process.
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload(['small_runs'])
        folder = Path(cfg.work_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f'output{(env or {}).get("RANK", "")}.txt'
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(
            target=_train,
            args=(cfg, str(self.log), env or {}, theirs, actions or {}))
        self.process.start()
        theirs.close()

    def wait_for(self, iteration):
        """Until it has done so many iterations."""
        done = 0
        while done < iteration:
            done = self.pipe.recv()

    def send(self, number, group=False):
        (os.killpg if group else os.kill)(self.process.pid, number)

    def end(self, expect=0):
        """Wait for its end; all that it and those before it have said."""
        # A pipe holds much more than these few numbers. Its end cannot be
        # waited for: workers of a killed process keep it open for seconds.
        self.process.join(120)
        if self.process.is_alive():
            self.send(signal.SIGKILL, group=True)
            self.process.join()
        text = self.log.read_text()
        assert self.process.exitcode == expect, text[-4000:]
        return text


def kill(number=signal.SIGKILL):
    os.kill(os.getpid(), number)


def ask_all_to_stop(name='TERM', times=1):
    """Workers too, as torchrun and queues do, from another process."""
    for _ in range(times):
        subprocess.run(['kill', f'-{name}', '--', f'-{os.getpgrp()}'],
                       start_new_session=True)


# Of a checkpoint of more than 200 kB. Whatever else is written is smaller.
SOME_BYTES = 100_000


def only_some_bytes(action):
    """No file may be larger: as a full disk, or the end of the process."""
    signal.signal(signal.SIGXFSZ, action)
    _, limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SOME_BYTES, limit))


def kill_before(name, call):
    """Kill the process instead of a certain call of a function of `os`."""
    original, calls = getattr(os, name), []

    def count(*args, **kwargs):
        calls.append(args)
        if len(calls) == call:
            kill()
        return original(*args, **kwargs)

    setattr(os, name, count)


def load(path):
    return load_checkpoint(path)


def latest(folder):
    """The checkpoint that resuming would take, loaded."""
    return load((Path(folder) / 'last_checkpoint').read_text())


def same(a, b, at=''):
    """Bit for bit, whatever is inside what."""
    assert type(a) is type(b), at
    if isinstance(a, dict):
        assert a.keys() == b.keys(), at
        for key in a:
            same(a[key], b[key], f'{at}/{key}')
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), at
        for i, pair in enumerate(zip(a, b)):
            same(*pair, f'{at}/{i}')
    else:
        equal = torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        assert equal, (at, a, b)


def assert_same_training(a, b):
    """The same losses, weights and states at the end."""
    a, b = latest(a), latest(b)
    assert a['meta']['iter'] == b['meta']['iter']
    losses = [x['message_hub']['log_scalars']['train/loss'] for x in (a, b)]
    assert losses[0].data[0].tolist() == losses[1].data[0].tolist()
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        same(a[part], b[part], part)
    same(a['meta']['run_state'], b['meta']['run_state'], 'run_state')
