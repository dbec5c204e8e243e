"""Trainings that are killed or told to stop, and go on."""
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from conftest import REPO, free_port
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from small_runs import (
    Training,
    ask_all_to_stop,
    assert_same_training,
    kill,
    latest,
    load,
)

from umurl_mmaction.engine.resume.preemption_hook import SIGNALS
from umurl_mmaction.fileio.folder_lock import FolderLock


def go_on(small, name, expect=0, **kwargs):
    return Training(small(name, resume=True, **kwargs)).end(expect)


def test_ten_kills_change_nothing(small, whole, runs):
    # 24 iterations, wherever they are; as many workers as it happens.
    chance = random.Random(0)
    for attempt, iteration in enumerate(sorted(
            chance.sample(range(1, 24), 10))):
        run = Training(
            small('killed', num_workers=attempt % 3, resume=attempt > 0))
        run.wait_for(iteration)
        time.sleep(chance.random() / 20)
        run.send(signal.SIGKILL)
        run.end(-signal.SIGKILL)
    go_on(small, 'killed', num_workers=1)
    assert_same_training(runs / 'killed', whole)
    assert [path.name for path in sorted((runs / 'killed').glob('epoch_*'))
            ] == ['epoch_4.pth', 'epoch_5.pth', 'epoch_6.pth']


def test_the_model_draws_what_it_would_have_drawn(small, runs):
    """DropPath takes the numbers of torch's own generator."""
    drop = {
        'model.backbone.num_layers': 2,
        'model.backbone.drop_path_rate': 0.5
    }
    Training(small('drop_path_whole', **drop)).end()
    run = Training(small('drop_path', **drop))
    run.wait_for(10)
    run.send(signal.SIGTERM)
    run.end(128 + signal.SIGTERM)
    go_on(small, 'drop_path', **drop)
    assert_same_training(runs / 'drop_path', runs / 'drop_path_whole')


def test_the_real_command_killed_and_resumed(runs, environment):
    """With the configuration's own pipeline."""
    path = REPO / 'configs/umurl/pretrain/umurl_1xb64_synthetic.py'
    options = {
        'train_dataloader.dataset.ann_file': str(runs / 'tiny.pkl'),
        'val_dataloader.dataset.ann_file': str(runs / 'tiny.pkl'),
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 1,
        'train_cfg.max_epochs': 20,
        'default_hooks.checkpoint.interval': 1,
        'model.backbone.embed_dims': 16,
        'model.neck.in_channels': 32,
        'model.neck.out_channels': 64
    }

    log = runs / 'command.txt'
    environment = dict(environment, PYTHONFAULTHANDLER='1')

    def start(*args):
        with open(log, 'w') as output:
            return subprocess.Popen([
                sys.executable,
                str(REPO / 'tools/train.py'),
                str(path), '--work-dir', 'command', '--seed', '3', *args,
                '--cfg-options', *(f'{k}={v}' for k, v in options.items())
            ],
                                    cwd=runs,
                                    env=environment,
                                    stdout=output,
                                    stderr=subprocess.STDOUT)

    process = start()
    wait_for_checkpoint(process, runs / 'command', log)
    process.kill()
    process.wait()
    process = start('--resume')
    assert process.wait(200) == 0, log.read_text()[-4000:]
    assert 'resumed epoch: ' in log.read_text()

    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options)
    cfg.update(work_dir=str(runs / 'whole-command'), randomness=dict(seed=3))
    Training(cfg).end()
    assert_same_training(runs / 'command', runs / 'whole-command')


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it takes too long'
        time.sleep(0.01)


def wait_for_checkpoint(process, folder, log):
    # Not for one of an epoch, which later ones remove.
    last = folder / 'last_checkpoint'
    try:
        wait_until(
            lambda: process.poll() is not None or last.exists(), seconds=300)
    except AssertionError:
        for pid in [*children_of(process), process.pid]:
            os.kill(pid, signal.SIGABRT)  # they write where they are
        process.wait(60)
    assert process.poll() is None, log.read_text()[-8000:]


def test_an_unseeded_run_keeps_its_seed(small, runs):
    """As tools/train.py without --seed leaves it."""

    def seeded(seed, cfg):
        cfg.randomness.seed = seed

    unseeded = partial(seeded, None)
    Training(
        small('unseeded', change=unseeded), actions={6: kill}).end(-9)
    seed = latest(runs / 'unseeded')['meta']['seed']
    go_on(small, 'unseeded', change=unseeded)
    Training(small('unseeded-whole', change=partial(seeded, seed))).end()
    assert_same_training(runs / 'unseeded', runs / 'unseeded-whole')


@pytest.mark.parametrize('wrapper', ['AmpOptimWrapper', 'ScaledOnCPU'])
def test_mixed_precision_goes_on(small, runs, wrapper):

    def mixed(cfg):
        cfg.optim_wrapper.type = wrapper

    Training(small(f'{wrapper}-whole', change=mixed, num_workers=1)).end()
    Training(
        small(wrapper, change=mixed), actions={14: kill}).end(-9)
    go_on(small, wrapper, change=mixed)
    assert_same_training(runs / wrapper, runs / f'{wrapper}-whole')
    checkpoint = latest(runs / wrapper)
    assert checkpoint['optimizer']['state']
    assert len(checkpoint['param_schedulers']) == 2
    assert 'train/loss' in checkpoint['message_hub']['log_scalars']
    states, = checkpoint['meta']['run_state']['random']
    assert states.keys() >= {'python', 'numpy', 'torch'}
    scaler = checkpoint['optimizer']['loss_scaler']
    # 24 iterations; the scale doubles with every fourth.
    assert scaler == {} or scaler['scale'] == 1024 * 2**6


def test_a_checkpoint_without_a_scaler_starts_one(small, runs):
    """As one from the CPU, on a GPU."""

    def on_cpu(cfg):
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.train_cfg.max_epochs = 1

    def on_gpu(cfg):
        cfg.optim_wrapper.type = 'ScaledOnCPU'
        cfg.train_cfg.max_epochs = 2

    Training(small('other-device', change=on_cpu)).end()
    assert latest(runs / 'other-device')['optimizer']['loss_scaler'] == {}
    go_on(small, 'other-device', change=on_gpu)
    scaler = latest(runs / 'other-device')['optimizer']['loss_scaler']
    assert scaler['scale'] == 2048


def by_iterations(sampler, cfg):
    # A subclass of MMEngine's IterBasedTrainLoop.
    cfg.train_cfg = dict(type='PassesTrainLoop', passes=1, min_iters=14)
    cfg.train_dataloader.sampler = dict(type=sampler)
    cfg.param_scheduler = cfg.param_scheduler[:1]
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=3)


def test_by_iterations(small, runs):
    change = partial(by_iterations, 'InfiniteSampler')
    Training(small('iterations-whole', change=change)).end()
    for action in (kill, partial(kill, signal.SIGTERM)):
        name = f'iterations-{action is kill}'
        run = Training(
            small(name, change=change, num_workers=2), actions={7: action})
        run.end(-9 if action is kill else 143)
        # Five clips more than two passes over the 12.
        assert latest(runs / name)['meta']['iter'] == (
            6 if action is kill else 8)
        go_on(small, name, change=change)
        assert_same_training(runs / name, runs / 'iterations-whole')


def stopped(output, folder, iteration, name='SIGTERM'):
    """What a run says and leaves that was asked to stop."""
    line, = [x for x in output.splitlines() if f'{name}: ' in x]
    assert f'after iteration {iteration} ' in line
    assert line.endswith(f'{folder}/interrupted.pth; --resume goes on from '
                         'there')
    assert (folder / 'last_checkpoint').read_text() == (
        f'{folder}/interrupted.pth')
    assert latest(folder)['meta']['iter'] == iteration


def test_sigterm_within_an_epoch_and_again(small, whole, runs):
    folder = runs / 'preempted'
    for attempt, iteration in enumerate((6, 7, 13)):
        run = Training(
            small('preempted', num_workers=2 * (attempt != 1),
                  resume=attempt > 0),
            actions={iteration - 1: ask_all_to_stop})
        output = run.end(143)
        run.log.unlink()
        stopped(output, folder, iteration)
        assert 'Traceback' not in output
        if attempt == 1:
            assert 'epoch 2 goes on after 2 of 4 batches' in output
    output = go_on(small, 'preempted')
    assert 'epoch 4 goes on after 1 of 4 batches' in output
    assert_same_training(folder, whole)
    assert not (folder / 'interrupted.pth').exists()


def test_ctrl_c_completes_the_iteration(small, whole, runs):
    ask = partial(ask_all_to_stop, 'INT')
    run = Training(small('ctrl-c', num_workers=2), actions={5: ask})
    output = run.end(130)
    stopped(output, runs / 'ctrl-c', 6, 'SIGINT')
    assert 'Traceback' not in output
    assert 'epoch 2 goes on after 2 of 4 batches' in go_on(small, 'ctrl-c')
    assert_same_training(runs / 'ctrl-c', whole)


def test_a_second_ctrl_c_stops_at_once(small, runs):
    ask = partial(ask_all_to_stop, 'INT', times=2)
    output = Training(
        small('ctrl-c-twice', num_workers=1), actions={5: ask}).end(-2)
    assert 'Traceback' not in output
    assert latest(runs / 'ctrl-c-twice')['meta']['iter'] == 4


def test_sigterm_in_the_last_iteration_of_an_epoch(small, whole, runs):
    folder = runs / 'at-the-end'
    ask = partial(kill, signal.SIGTERM)
    output = Training(small('at-the-end'), actions={7: ask}).end(143)
    stopped(output, folder, 8)
    assert latest(folder)['meta']['epoch'] == 2
    output = go_on(small, 'at-the-end')
    assert 'goes on after' not in output
    assert_same_training(folder, whole)
    # The validation that came next is made up for.
    assert validations(output) == validations(
        (whole / 'output.txt').read_text())


def validations(output):
    """What they have found, without the time it took."""
    return [
        x.split(' - ')[-1].partition('data_time')[0]
        for x in output.splitlines() if '(val)' in x
    ]


@pytest.mark.parametrize('by_epoch', [True, False])
def test_sigterm_before_the_last_validation(small, whole, runs, by_epoch):
    name = f'before-the-end-{by_epoch}'
    change = None if by_epoch else partial(by_iterations, 'InfiniteSampler')
    last = 24 if by_epoch else 14
    ask = partial(kill, signal.SIGTERM)
    output = Training(
        small(name, change=change), actions={last - 1: ask}).end(143)
    assert latest(runs / name)['meta']['iter'] == last
    before = validations(output)
    after = validations(go_on(small, name, change=change))
    assert len(after) == len(before) + 1
    assert f'(val) [{6 if by_epoch else 0}]' in after[-1]


@pytest.fixture
def interrupts():
    """Ctrl-C raises, also where a shell runs the tests in the background."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def test_a_notebook_goes_on_after_a_stop_or_an_error(small, runs, interrupts):
    """Its process lives on, and Ctrl-C interrupts as before."""
    before = [signal.getsignal(x) for x in SIGNALS]
    for name, error, reason in (('stop', SystemExit, '130'),
                                ('error', ZeroDivisionError, 'error')):

        class Interrupt(Hook):

            def before_train_iter(self, runner, name=name, **kwargs):
                if runner.iter == 2:
                    if name == 'error':
                        raise ZeroDivisionError(name)
                    signal.raise_signal(signal.SIGINT)

        runner = Runner.from_cfg(small(f'notebook-{name}', custom_hooks=[]))
        runner.register_hook(Interrupt())
        with pytest.raises(error, match=reason):
            runner.train()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert [signal.getsignal(x) for x in SIGNALS] == before


def test_another_batch_size_goes_on_at_the_same_clip(small, runs):
    ask = partial(kill, signal.SIGTERM)
    Training(small('batches'), actions={5: ask}).end(143)
    output = go_on(
        small, 'batches', **{'train_dataloader.batch_size': 2})
    assert 'epoch 2 goes on after 3 of 6 batches' in output
    assert latest(runs / 'batches')['meta']['iter'] == 6 + 3 + 4 * 6


def test_sigterm_waits_for_accumulated_gradients(small, runs):

    def accumulate(cfg):
        cfg.optim_wrapper.accumulative_counts = 2

    Training(small('accumulated-whole', change=accumulate)).end()
    ask = partial(kill, signal.SIGTERM)
    output = Training(
        small('accumulated', change=accumulate), actions={4: ask}).end(143)
    stopped(output, runs / 'accumulated', 6)
    go_on(small, 'accumulated', change=accumulate)
    assert_same_training(runs / 'accumulated', runs / 'accumulated-whole')


def two(small, name, actions=None, expect=0, **kwargs):
    """A training of two processes; what the first one says."""
    cfg = small(name, launcher='pytorch', **kwargs)
    port = str(free_port())
    runs = [
        Training(
            cfg,
            env=dict(
                RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2',
                MASTER_ADDR='127.0.0.1', MASTER_PORT=port),
            actions=actions if rank else None) for rank in range(2)
    ]
    return [run.end(expect) for run in runs][0]


def test_sigterm_to_one_of_two_processes(small, runs):
    two(small, 'two-whole')
    # 2 batches an epoch; the other process has no signal of its own.
    output = two(
        small, 'two', {4: partial(kill, signal.SIGTERM)}, expect=143)
    stopped(output, runs / 'two', 5)
    states = latest(runs / 'two')['meta']['run_state']
    assert states['samples'] == 6 and len(states['random']) == 2
    output = two(small, 'two', num_workers=1, resume=True)
    assert 'epoch 3 goes on after 1 of 2 batches' in output
    assert_same_training(runs / 'two', runs / 'two-whole')


def living():
    """The parents of the processes that have not ended, by process."""
    parents = {}
    for path in Path('/proc').glob('[0-9]*/stat'):
        with suppress(OSError):
            state, parent = path.read_text().rpartition(')')[2].split()[:2]
            if state != 'Z':
                parents[int(path.parent.name)] = int(parent)
    return parents


def children_of(process):
    return {
        pid for pid, parent in living().items() if parent == process.pid
    }


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_the_ranks_end_with_torchrun(small, runs, environment, number):
    """It hands on SIGTERM; of its own kill it cannot tell them."""
    name = f'torchrun-{number.name}'
    small(name, num_workers=1, **{
        'train_cfg.max_epochs': 10000,
        'custom_hooks': []
    }).dump(str(runs / f'{name}.py'))
    log = runs / f'{name}.txt'
    environment = dict(environment, PYTHONFAULTHANDLER='1')
    with open(log, 'w') as output:
        process = subprocess.Popen([
            sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node',
            '2', '--master_port',
            str(free_port()),
            str(REPO / 'tools/train.py'), f'{name}.py', '--launcher',
            'pytorch'
        ], cwd=runs, env=environment, stdout=output,
            stderr=subprocess.STDOUT)
        wait_for_checkpoint(process, runs / name, log)
        ranks = children_of(process)
        assert len(ranks) == 2
        process.send_signal(number)
        process.wait(60)
    try:
        wait_until(lambda: not ranks & living().keys(), 60)
    finally:
        for rank in ranks & living().keys():
            os.kill(rank, signal.SIGKILL)
    path = Path((runs / name / 'last_checkpoint').read_text())
    assert path.name == 'interrupted.pth'
    text = log.read_text()
    stopped(text, runs / name, load(path)['meta']['iter'])
    assert (f'the launcher, process {process.pid}, has ended without its '
            'ranks' in text) == (number == signal.SIGKILL)


def test_a_folder_is_trained_in_by_one_run(small, runs):
    folder = runs / 'shared'
    folder.mkdir()
    lock = FolderLock(folder)
    lock.acquire()
    expected = (f'ValueError: folder {str(folder)!r} is in use by process '
                f'{os.getpid()} on host {socket.gethostname()}, since ')
    for output in (Training(small('shared')).end(1),
                   two(small, 'shared', expect=1)):
        assert output.rstrip().splitlines()[-1].startswith(expected)
        assert 'Epoch(train)' not in output
    lock.release()
    Training(small('shared')).end()
    assert not (folder / 'running.lock').exists()


def test_sigterm_during_validation(linear, runs):
    """It is completed, and may be the best one."""
    folder = runs / 'validated'
    stop = dict(custom_hooks=[dict(type='StopInValidation')])
    output = Training(linear('validated', **stop)).end(143)
    stopped(output, folder, 4)
    assert 'Epoch(val) [1]' in output
    assert latest(folder)['meta']['epoch'] == 1
    Training(linear('validated', resume=True)).end()
    Training(linear('validated-whole')).end()
    assert_same_training(folder, runs / 'validated-whole')


def test_sigterm_to_all_processes_while_the_gallery_is_encoded(small, runs):
    stop = dict(custom_hooks=[dict(type='StopInGallery')])
    output = Training(small('gallery', num_workers=1, **stop)).end(143)
    assert 'Epoch(val) [2]' in output
    assert latest(runs / 'gallery')['meta']['epoch'] == 2


def test_the_moving_average_and_the_queue_go_on(small, runs):

    def follow(cfg):
        base = REPO / 'configs/srcl/srcl_1xb64-3k_synthetic.py'
        model = Config.fromfile(base).model
        model.backbone = cfg.model.backbone
        model.data_preprocessor = cfg.model.data_preprocessor
        model.data_preprocessor.views.num_views = [2]
        cfg.train_dataloader.dataset.pipeline[0].num_views = [2]
        model.heads.relation.queue_size = 6
        cfg.model = model

    Training(small('follow-whole', change=follow)).end()
    Training(small('follow', change=follow), actions={14: kill}).end(-9)
    go_on(small, 'follow', change=follow)
    weights = latest(runs / 'follow')['state_dict']
    assert weights['target.steps'] == 24
    assert weights['heads.relation.queue.features'].shape == (6, 128)
    assert_same_training(runs / 'follow', runs / 'follow-whole')
