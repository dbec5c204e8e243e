"""What a training or a test cannot use ends it in one line, status 2."""
import sys

import mmengine
import numpy as np
import pytest
from conftest import make_annotations
from test_bad_input import KNN, LINEAR, PRETRAIN, small
from torch._utils import ExceptionWrapper

import umurl_mmaction.__main__ as entry
from umurl_mmaction.command_line import explain
from umurl_mmaction.datasets.check_clip import check_range


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with clips and three small configs."""
    folder = tmp_path_factory.mktemp('failures')
    mmengine.dump(make_annotations(), folder / 'set.pkl')
    for config in (PRETRAIN, LINEAR, KNN):
        cfg = small(config, folder, str(folder / 'set.pkl'))
        cfg.dump(folder / config.split('/')[1])
    return folder


@pytest.fixture
def run(folder, tmp_path, monkeypatch, capfd):
    """Run a tool in this process: its status, and its last line."""
    monkeypatch.delenv('UMURL_TRACEBACK', raising=False)

    def run(tool, config, *args, options=()):
        monkeypatch.setattr('sys.argv', [
            tool, str(folder / config.split('/')[1]), *map(str, args),
            '--work-dir', str(tmp_path / 'work'),
            # A logger of its own, whose stream is this test's.
            '--cfg-options', f'experiment_name={tmp_path.name}', *options
        ])
        monkeypatch.setattr('sys.path', [*sys.path])
        with pytest.raises(SystemExit) as info:
            entry.run_mmaction_tool(tool)
        error = capfd.readouterr().err
        assert 'Traceback' not in error
        return info.value.code, error.splitlines()[-1]

    return run


@pytest.mark.parametrize('config, options, wanted', [
    (PRETRAIN, ['train_dataloader.dataset.ann_file=lost.pkl'],
     "annotation file 'lost.pkl' is not there"),
    (PRETRAIN, ['train_cfg.max_epoch=1'], "argument 'max_epoch'"),
    (PRETRAIN, ['train_dataloder.batch_size=4'], "the setting "
     "'train_dataloder' has no use; is 'train_dataloader' meant?"),
    (PRETRAIN, ['model.backbon.embed_dims=8'], "argument 'backbon'"),
    (PRETRAIN, ['default_hooks.checkpoint.save_bets=auto'],
     "argument 'save_bets'"),
    (PRETRAIN, ['optim_wrapper.optimizer.type=Adamm'],
     "optimizer 'Adamm' is unknown"),
    (PRETRAIN, ['optim_wrapper.optimizer.lr=-1'], 'learning rate: -1'),
    (PRETRAIN, ['train_cfg.max_epochs=0'],
     'train_cfg.max_epochs=0 must be at least 1'),
    (PRETRAIN, ['model.backbone.num_heads=0'],
     'embed_dims=16 must be even and divisible by num_heads=0'),
    (PRETRAIN, ['model.neck.in_channels=48'],
     'model.neck.in_channels=48 must be 32'),
    (LINEAR, ['model.cls_head.in_channels=48'],
     'model.cls_head.in_channels=48 must be 32'),
    (LINEAR, ['default_hooks.checkpoint.save_best=acc/top3'],
     "save_best='acc/top3' is none of the scores of a validation, "
     'acc/top1, acc/top5'),
    (PRETRAIN, ['default_hooks.checkpoint.save_best=top1'],
     "save_best='top1' is none of the scores of a validation, "
     'retrieval/fused_top1, retrieval/joint_top1'),
    (PRETRAIN, ['load_from=lost.pth'], 'lost.pth'),
])
def test_settings(run, tmp_path, config, options, wanted):
    status, line = run('train.py', config, options=options)
    assert status == 2
    assert line.startswith('error: ') and wanted in line
    assert not list(tmp_path.rglob('*.pth'))


def test_an_option_without_a_value(run):
    status, line = run('train.py', PRETRAIN, options=['lr'])
    assert (status, line) == (
        2, "train.py: error: --cfg-options wants KEY=VALUE, got 'lr'")


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Run lines as a script of a user."""
    monkeypatch.setattr('sys.path', [*sys.path])
    monkeypatch.setattr('sys.argv', [])
    monkeypatch.delenv('UMURL_TRACEBACK', raising=False)

    def run(*lines):
        path = tmp_path / 'script.py'
        path.write_text('\n'.join(lines))
        entry.run_script(str(path), [])

    return run


def test_a_bug_keeps_its_traceback(script):
    with pytest.raises(ValueError, match='invalid literal'):
        script("int('x')")
    with pytest.raises(ValueError, match='of the script'):
        script("raise ValueError('of the script')")
    # Within the package as well.
    with pytest.raises(AttributeError):
        script('from umurl_mmaction.datasets.check_clip import check_clip',
               'check_clip(7, "a")')


OURS = ('from umurl_mmaction.skeleton import build_layout',
        "build_layout('kinect')")


def test_a_variable_brings_the_traceback_back(script, monkeypatch, capsys):
    with pytest.raises(SystemExit) as info:
        script(*OURS)
    assert info.value.code == 2
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith("error: unknown layout 'kinect'; known are ")
    monkeypatch.setenv('UMURL_TRACEBACK', '1')
    with pytest.raises(ValueError, match="unknown layout 'kinect'"):
        script(*OURS)


def test_ctrl_c_is_one_line(script, capsys):
    with pytest.raises(SystemExit) as info:
        script('raise KeyboardInterrupt')
    assert info.value.code == 130
    assert capsys.readouterr().err == 'interrupted\n'


def explained(function):
    """What is said of the error of a function."""
    try:
        function()
    except Exception as error:
        return explain(error)
    return ''


def test_a_full_disk_names_the_file():

    def write():
        with open('/dev/full', 'w') as file:
            file.write('a')

    assert explained(write) == '/dev/full: No space left on device'


def test_a_checkout_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr('umurl_mmaction.command_line.PACKAGE', tmp_path)
    index = tmp_path / '.mim' / 'model-index.yml'
    assert explained(index.read_text).endswith(
        'this checkout is not installed: run pip install . or pip install '
        '-e . in it')


@pytest.mark.parametrize('call, wanted', [
    (lambda: check_range(np.array([[[[1e30]]]]), "clip 'a'"),
     "clip 'a' has the coordinate 1e+30"),
    (lambda: int('x'), None),
])
def test_errors_of_workers(call, wanted):
    """torch raises them anew, with their traceback as the message."""

    def work():
        try:
            call()
        except Exception:
            return ExceptionWrapper(where='in DataLoader worker process 0')

    line = explained(work().reraise)
    assert line.startswith(wanted) if wanted else line is None


def test_an_older_mmengine_puts_the_class_in_front():

    def build():
        try:
            check_range(np.array([[[[1e30]]]]), "clip 'a'")
        except ValueError as error:
            raise ValueError(f'class `A` in b/c.py: {error}')  # noqa: B904

    assert explained(build).startswith("clip 'a' has the coordinate 1e+30")
