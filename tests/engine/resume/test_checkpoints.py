"""Checkpoint files that are cut off, and those that must not be."""
import errno
import os
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from small_runs import (
    Training,
    assert_same_training,
    kill_before,
    latest,
    load,
    only_some_bytes,
)

from umurl_mmaction.engine.resume.whole_checkpoints import (
    damage_of,
    newest_good,
)
from umurl_mmaction.fileio.atomic import AtomicLocalBackend


def names(folder, kind='epoch'):
    return sorted(path.name for path in folder.glob(f'{kind}_*.pth'))


# While the fifth checkpoint is written, in the order in which it happens.
INSTANTS = {
    'within the file': (partial(only_some_bytes, signal.SIG_DFL),
                        -signal.SIGXFSZ, 'epoch_4.pth', False),
    'before it has its name': (partial(kill_before, 'replace', 1),
                               -signal.SIGKILL, 'epoch_4.pth', False),
    'before it is the last': (partial(kill_before, 'replace', 2),
                              -signal.SIGKILL, 'epoch_4.pth', True),
    'before an old one is removed': (partial(kill_before, 'remove', 1),
                                     -signal.SIGKILL, 'epoch_5.pth', True),
}


@pytest.mark.parametrize('instant', INSTANTS)
def test_killed_while_saving(small, whole, runs, instant):
    action, ending, last, written = INSTANTS[instant]
    name = instant.replace(' ', '-')
    folder = runs / name
    Training(small(name), actions={19: action}).end(ending)
    assert Path((folder / 'last_checkpoint').read_text()).name == last
    old = ['epoch_2.pth', 'epoch_3.pth', 'epoch_4.pth']
    assert names(folder) == old + ['epoch_5.pth'] * written
    assert latest(folder)['meta']['epoch'] == int(last[6])
    for path in folder.glob('*.pth'):
        assert damage_of(path) is None

    Training(small(name, resume=True)).end()
    assert_same_training(folder, whole)
    # Nothing is left over that nobody removes.
    assert names(folder) == ['epoch_4.pth', 'epoch_5.pth', 'epoch_6.pth']
    assert not list(folder.glob('.*'))


def test_full_disk(small, whole, runs):
    full = partial(only_some_bytes, signal.SIG_IGN)
    output = Training(small('full'), actions={6: full}).end(1)
    folder = runs / 'full'
    assert output.splitlines()[-1] == (
        f'OSError: [Errno {errno.EFBIG}] File too large: '
        f'{folder}/epoch_2.pth is not written; what was there before is '
        'untouched')
    assert names(folder) == ['epoch_1.pth']
    assert latest(folder)['meta']['epoch'] == 1
    assert not list(folder.glob('.*'))
    Training(small('full', resume=True)).end()
    assert_same_training(folder, whole)


def test_disk_that_is_found_full_late(tmp_path, monkeypatch):
    """Only as the bytes are to reach it, as network disks do."""
    path = tmp_path / 'epoch_1.pth'
    backend = AtomicLocalBackend()
    backend.put(b'good', path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left on device: .*epoch_1.pth '
                       'is not written; what was there') as error:
        backend.put(b'better', path)
    assert error.value.errno == errno.ENOSPC
    assert path.read_bytes() == b'good' and os.listdir(tmp_path) == [path.name]


def last_line(output):
    return output.rstrip().splitlines()[-1]


def test_resume_from_a_cut_off_file(small, runs):
    folder = runs / 'cut'
    Training(small('cut', **{'train_cfg.max_epochs': 3})).end()
    first, second, third = (folder / f'epoch_{i}.pth' for i in (1, 2, 3))
    os.truncate(third, 1000)
    # The newest by name only, and no good one either.
    (folder / 'epoch_9.pth').write_bytes(b'')
    # The newest good file, which cannot be resumed from.
    weights = load(second)
    torch.save(dict(state_dict=weights['state_dict'], meta=weights['meta']),
               folder / 'best_epoch_2.pth')
    before = {path: path.stat().st_mtime_ns for path in folder.glob('*.pth')}
    for settings in (dict(), dict(load_from=str(third))):
        output = Training(small('cut', resume=True, **settings)).end(1)
        assert last_line(output) == (
            f'ValueError: cannot resume: {str(third)!r} is cut off or no '
            f'checkpoint; the newest good checkpoint is {str(second)!r}')
        assert 'Epoch(train) [4]' not in output
    assert before == {p: p.stat().st_mtime_ns for p in folder.glob('*.pth')}

    moved = runs / 'moved'
    folder.rename(moved)
    output = Training(small('moved', resume=True)).end(1)
    assert last_line(output) == (
        f'ValueError: cannot resume: {str(third)!r} is not there; the newest '
        f"good checkpoint is '{moved}/epoch_2.pth'")
    for path in (first, second):
        (moved / path.name).unlink()
    output = Training(small('moved', resume=True)).end(1)
    assert last_line(output).endswith('there is no good checkpoint beside it')


def test_every_damage_is_seen(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(weights=torch.arange(1000.), optimizer={}), path)
    data = path.read_bytes()
    assert damage_of(path) is None and newest_good(tmp_path) == path
    for length in (0, 1, 4, 1000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert damage_of(path) == 'is cut off or no checkpoint'
    middle = data.index(torch.arange(1000.).numpy().tobytes()) + 77
    path.write_bytes(data[:middle] + b'?' + data[middle + 1:])
    assert 'is damaged at ' in damage_of(path)
    assert newest_good(tmp_path) is None
    path.write_bytes(bytes(len(data)))
    assert damage_of(path)
    path.unlink()
    assert damage_of(path) == 'is not there'
    # What torch wrote before version 1.6, as the paper's files may be.
    torch.save(dict(weights=torch.arange(9.)), path,
               _use_new_zipfile_serialization=False)
    assert damage_of(path) is None


@pytest.fixture
def operations(monkeypatch):
    """What is done to the disk; a look at the folder after each of it."""
    log = []

    def observe(name):
        original = getattr(AtomicLocalBackend, name)

        def call(self, *args):
            original(self, *args)
            path = Path(args[-1])
            log.append((name, path.name))
            last = path.parent / 'last_checkpoint'
            if last.exists():
                load(last.read_text())
            if any('best' in file for _, file in log):
                assert list(path.parent.glob('best_*.pth'))

        monkeypatch.setattr(AtomicLocalBackend, name, call)

    observe('put')
    observe('remove')
    return log


@METRICS.register_module()
class Falling(BaseMetric):
    """A score that is better the first, second and fourth time."""

    def __init__(self):
        super().__init__()
        self.scores = iter([5., 4., 6., 3.])

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(loss=next(self.scores))


@pytest.fixture
def train(linear, runs):
    """Train a classifier in this process; the checkpoints it leaves."""

    def run(name, kind='SafeCheckpointHook', **train_cfg):
        cfg = linear(name)
        cfg.train_cfg = train_cfg
        cfg.default_hooks.checkpoint.update(
            type=kind, max_keep_ckpts=2, save_best='loss', rule='less')
        cfg.val_evaluator = [cfg.val_evaluator, dict(type='Falling')]
        cfg.experiment_name = f'{runs.parent.name}-{name}'
        Runner.from_cfg(cfg).train()
        return names(runs / name, '*')

    return run


def test_order_and_number_of_files(train, operations):
    """As many as stock MMEngine leaves; the last and the best at any time."""
    epochs = dict(by_epoch=True, max_epochs=4, val_interval=1)
    stock = train('stock', 'CheckpointHook', **epochs)
    assert operations == []
    assert train('ordered', **epochs) == stock == [
        'best_loss_epoch_4.pth', 'epoch_3.pth', 'epoch_4.pth'
    ]
    last = 'last_checkpoint'
    assert operations == [
        ('put', 'epoch_1.pth'),
        ('put', last),
        ('put', 'best_loss_epoch_1.pth'),
        ('put', 'epoch_1.pth'),
        ('put', last),
        ('put', 'epoch_2.pth'),
        ('put', last),
        ('put', 'best_loss_epoch_2.pth'),
        ('put', 'epoch_2.pth'),
        ('put', last),
        ('remove', 'best_loss_epoch_1.pth'),
        ('put', 'epoch_3.pth'),
        ('put', last),
        ('remove', 'epoch_1.pth'),
        ('put', 'epoch_4.pth'),
        ('put', last),
        ('remove', 'epoch_2.pth'),
        ('put', 'best_loss_epoch_4.pth'),
        ('put', 'epoch_4.pth'),
        ('put', last),
        ('remove', 'best_loss_epoch_2.pth'),
    ]


def test_a_best_file_that_is_written_over(train, operations):
    """As each of them is in a loop by iterations that are saved by epoch."""
    assert 'best_loss_epoch_0.pth' in train(
        'over', by_epoch=False, max_iters=4, val_interval=2)
    assert operations.count(('put', 'best_loss_epoch_0.pth')) == 2


def test_the_stock_hook_is_told_of(train, runs):
    """With it a run is as ever, and says what it lacks."""
    train('told', 'CheckpointHook', by_epoch=True, max_epochs=1)
    log, = (runs / 'told').glob('*/*.log')
    assert ('SIGTERM and Ctrl-C will end the run without a checkpoint: that '
            'takes SafeCheckpointHook') in log.read_text()
