"""A table of runs holds what their logs say."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_runs
from conftest import REPO
from mmengine.config import Config
from mmengine.runner import Runner
from tools_loading import load_script, refusal

import umurl_mmaction
from umurl_mmaction.engine.hooks import CommitHook, commit_hook
from umurl_mmaction.engine.hooks.commit_hook import git_commit

SCRIPT = REPO / 'tools' / 'analysis' / 'summarize.py'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return load_script(SCRIPT)


@pytest.fixture(scope='module')
def runs(tmp_path_factory, ann_file):
    """A pre-training that is resumed after half of it, a probe, a test."""
    folder = tmp_path_factory.mktemp('runs')
    settings = {
        'default_hooks.logger.interval': 1,
        'train_cfg.max_epochs': 2,
        'custom_hooks': []
    }
    for name, resume in (('first', False), ('second', True)):
        cfg = small_runs.config(ann_file, folder / 'pretrain', **settings)
        cfg.update(resume=resume, experiment_name=f'summary-{name}')
        runner = Runner.from_cfg(cfg)
        runner.train()
        settings['train_cfg.max_epochs'] = 4
        first = folder / 'pretrain' / runner.timestamp
        if not resume:
            first.rename(first.with_name('20200101_000000'))
    cfg = small_runs.linear_config(
        ann_file, folder / 'linear', experiment_name='summary-linear')
    cfg.default_hooks.logger.interval = 1
    Runner.from_cfg(cfg).train()
    cfg = Config.fromfile(small_runs.CONFIGS / 'knn/umurl-knn_synthetic.py')
    cfg.model.backbone.embed_dims = 8
    for loader in (cfg.model.gallery, cfg.test_dataloader):
        loader.update(batch_size=3, num_workers=0)
        loader.dataset.ann_file = str(ann_file)
    cfg.update(
        work_dir=str(folder / 'knn'), experiment_name='summary-knn',
        custom_hooks=[])
    Runner.from_cfg(cfg).test()
    return folder


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(text):
    return [[cell.strip() for cell in line.split('|')[1:-1]]
            for line in text.splitlines() if line.startswith('|')]


def summary(tool, tmp_path, *folders):
    path = tmp_path / 'new' / 'summary.json'
    tool.main([*map(str, folders), '--json', str(path)])
    assert [x.name for x in path.parent.iterdir()] == ['summary.json']
    return json.loads(path.read_text())


def test_a_resumed_run_is_one_row_with_the_numbers_of_its_log(
        tool, runs, tmp_path, capsys):
    row, = summary(tool, tmp_path, runs / 'pretrain')
    logs = [lines(path) for path in sorted(
        (runs / 'pretrain').glob('*/vis_data/scalars.json'))]
    assert len(logs) == 2
    training = [x for log in logs for x in log if 'iter' in x]
    assert [x['step'] for x in training] == list(range(1, 17))
    assert (row['epochs'], row['max_epochs'], row['iterations']) == (4, 4, 16)
    assert row['config'] == 'umurl_1xb64_synthetic'
    terms = ['loss', 'loss_intra', 'loss_inter', 'loss_var', 'loss_cov']
    assert row['losses'] == {x: training[-1][x] for x in terms}
    assert row['seconds'] == pytest.approx(sum(x['time'] for x in training))
    names = [f'retrieval/{x}_top1' for x in ('raw_joints', 'fused', 'joint',
                                             'bone', 'motion')]
    assert list(row['val']) == names and row['test'] == {}
    for name in names:
        curve = [x[name] for log in logs for x in log if name in x]
        # Before training, and at epochs 2 and 4; raw joints stay the same.
        if 'raw_joints' in name:
            assert len(curve) == 1 and name not in row['untrained']
        else:
            untrained, *curve = curve
            assert len(curve) == 2
            assert row['untrained'][name] == untrained
        assert row['val'][name] == dict(last=curve[-1], best=max(curve))
    head, _, shown = table(capsys.readouterr().out)
    shown = dict(zip(head, shown))
    assert shown['epochs'] == '4'
    assert shown['loss_var'] == f'{training[-1]["loss_var"]:.4g}'
    assert shown['retrieval/joint_top1, %'].startswith(
        f'{100 * row["val"]["retrieval/joint_top1"]["last"]:.1f}')


def test_probes_and_retrievals_have_their_accuracies(
        tool, runs, tmp_path, capsys):
    linear, knn = summary(tool, tmp_path, runs / 'linear', runs / 'knn')
    log, = (runs / 'linear').glob('*/vis_data/scalars.json')
    curve = [x['acc/top1'] for x in lines(log) if 'acc/top1' in x]
    assert len(curve) == 3
    assert linear['val'] == {
        'acc/top1': dict(last=curve[-1], best=max(curve))}
    assert linear['test'] == knn['val'] == knn['losses'] == {}
    assert linear['untrained'] == knn['untrained'] == {}
    result, = (runs / 'knn').glob('*/*.json')
    accuracy = json.loads(result.read_text())['acc/top1']
    assert knn['test'] == {'acc/top1': accuracy}
    assert knn['seconds'] is knn['epochs'] is None
    head, _, _, shown = table(capsys.readouterr().out)
    shown = dict(zip(head, shown))
    assert shown['test acc/top1, %'] == f'{100 * accuracy:.1f}'
    assert shown['loss'] == shown['training, h:m:s'] == '-'


def test_a_folder_of_runs_stands_for_all_of_them_once(tool, runs, tmp_path):
    rows = summary(tool, tmp_path, runs / 'knn', runs)
    assert [Path(row['run']).name for row in rows] == [
        'knn', 'linear', 'pretrain']


def write(folder, stamp, records):
    path = folder / stamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(x) + '\n' for x in records))
    return path


def record(step, loss, time):
    return dict(loss=loss, time=time, epoch=step // 10, iter=step, step=step)


@pytest.fixture
def killed(tmp_path):
    """Stopped at 35 of 60, resumed from 20."""
    run = tmp_path / 'run'
    write(run, '20260101_000000', [
        record(10, 9., 1.), record(20, 8., 1.), {'acc/top1': .9, 'step': 2},
        record(30, 7., 5.), {'acc/top1': 1., 'step': 3}])
    write(run, '20260102_000000', [
        record(30, 6., 2.), {'acc/top1': .5, 'step': 3}, record(40, 5., 2.)])
    (run / 'mine.py').write_text('train_cfg = dict(max_epochs=6)\n')
    return run


def test_what_was_done_again_counts_once(tool, killed, tmp_path, capsys):
    row, = summary(tool, tmp_path, killed)
    assert row['losses'] == dict(loss=5.)
    assert row['val'] == {'acc/top1': dict(last=.5, best=.9)}
    assert row['seconds'] == 20 * 1 + 20 * 2
    assert row['commit'] is None
    assert table(capsys.readouterr().out) == [
        ['run', 'config', 'commit', 'epochs', 'loss', 'acc/top1, %',
         'training, h:m:s'],
        ['---', '---', '---', *['---:'] * 4],
        [str(killed), 'mine', '-', '4 of 6', '5', '50.0 (best 90.0)',
         '0:01:00']]


NAME = 'retrieval/fused_top1'
BASELINE = {'retrieval/raw_joints_top1': .6, NAME: .533, 'step': 0}


@pytest.mark.parametrize('step', [10, 0])  # 0: as in older logs
@pytest.mark.parametrize('scores, shown', [
    ([], 'untrained 53.3'),
    ([.333], '33.3 (untrained 53.3)'),
    ([.4, .333], '33.3 (best 40.0, untrained 53.3)'),
])
def test_an_untrained_encoder_is_not_the_best(tool, tmp_path, capsys, step,
                                              scores, shown):
    run = tmp_path / 'run'
    write(run, '20260101_000000', [
        BASELINE, record(10, 9., 1.),
        *({NAME: score, 'step': step} for score in scores)])
    row, = summary(tool, tmp_path, run)
    raw = {'retrieval/raw_joints_top1': dict(last=.6, best=.6)}
    val = {NAME: dict(last=scores[-1], best=max(scores))} if scores else {}
    assert row['val'] == {**raw, **val}
    assert row['untrained'] == {NAME: .533}
    head, _, cells = table(capsys.readouterr().out)
    cells = dict(zip(head, cells))
    assert cells[f'{NAME}, %'] == shown
    assert cells['retrieval/raw_joints_top1, %'] == '60.0'


def test_all_validations_of_old_logs_count(tool, tmp_path):
    """Without a monitor before the training, too."""
    run = tmp_path / 'run'
    write(run, '20260101_000000', [
        record(10, 9., 1.), {NAME: .5, 'step': 0}, record(20, 9., 1.),
        {NAME: .4, 'step': 0}])
    row, = summary(tool, tmp_path, run)
    assert row['val'] == {NAME: dict(last=.4, best=.5)}
    assert row['untrained'] == {}


def test_the_commit_is_that_of_the_last_start(tool, killed, tmp_path):
    for stamp, commit in (('20260101_000000', 'abcdef0'),
                          ('20260102_000000', '1234567-dirty')):
        (killed / stamp / f'{stamp}.log').write_text(
            f'mmengine - INFO - git commit: {commit}\n')
    row, = summary(tool, tmp_path, killed)
    assert row['commit'] == '1234567-dirty'


def test_runs_log_the_commit_of_a_checkout_or_the_version(tool, runs,
                                                          tmp_path):
    row, = summary(tool, tmp_path, runs / 'pretrain')
    package = Path(umurl_mmaction.__file__).parent
    version = f'v{umurl_mmaction.__version__}'
    assert row['commit'] == (git_commit(package) or version)


@pytest.mark.parametrize('commit', ['1234567', '1234567-dirty', None])
def test_an_installed_package_logs_its_version(tool, killed, tmp_path, commit,
                                               monkeypatch):
    monkeypatch.setattr(commit_hook, 'git_commit', lambda folder: commit)
    lines = []
    monkeypatch.setattr(
        commit_hook, 'print_log', lambda line, logger: lines.append(line))
    CommitHook().before_run(None)
    log = killed / '20260102_000000' / '1.log'
    log.write_text(f'mmengine - INFO - {lines[0]}\n')
    row, = summary(tool, tmp_path, killed)
    assert row['commit'] == (commit or f'v{umurl_mmaction.__version__}')


def test_a_commit_is_that_of_tracked_files(tmp_path):
    def git(*args):
        return subprocess.run(
            ['git', '-c', 'user.name=a', '-c', 'user.email=a@example.org',
             *args], cwd=tmp_path, check=True, capture_output=True,
            text=True).stdout.strip()

    assert git_commit(tmp_path / 'lost') is None
    (tmp_path / 'code').mkdir()
    (tmp_path / 'code' / 'a.py').write_text('1')
    (tmp_path / 'venv').mkdir()
    (tmp_path / 'venv' / 'b.py').write_text('1')
    git('init')
    git('add', 'code')
    git('commit', '-m', 'a')
    git('tag', 'v1')
    head = git('rev-parse', 'HEAD')[:7]
    assert git_commit(tmp_path / 'code') == head
    assert git_commit(tmp_path / 'venv') is None
    (tmp_path / 'code' / 'a.py').write_text('23')
    assert git_commit(tmp_path / 'code') == f'{head}-dirty'


def test_the_config_is_not_run(tool, killed, tmp_path):
    marker = tmp_path / 'marker'
    path = killed / 'mine.py'
    for train_cfg in ('dict(by_epoch=True, max_epochs=7)',
                      "{'max_epochs': 7, 'val_interval': 1}"):
        path.write_text(f'import os\nos.system("touch {marker}")\n'
                        f'train_cfg = {train_cfg}\n')
        os.utime(path, (2e9, 2e9))
        row, = summary(tool, tmp_path, killed)
        assert row['config'] == 'mine' and row['max_epochs'] == 7
        assert not marker.exists()
        (tmp_path / 'new' / 'summary.json').unlink()
    subprocess.run([sys.executable, path], check=True)
    assert marker.exists()


def test_what_cannot_be_read_is_named_in_one_line(
        tool, killed, tmp_path, capsys):
    def refuse(*argv):
        return refusal(tool, capsys, *argv).partition('error: ')[2]

    out = tmp_path / 'summary.json'
    (tmp_path / 'empty').mkdir()
    message = refuse(killed, tmp_path / 'empty', '--json', out)
    assert message.startswith(f'{tmp_path}/empty: there is no run in it')
    assert refuse(tmp_path / 'lost') == (
        f'{tmp_path}/lost: there is no such folder')
    (killed / 'mine.py').write_text('train_cfg = \n')
    assert refuse(killed).startswith(f'{killed}/mine.py: ')
    (killed / 'mine.py').unlink()
    log = killed / '20260102_000000' / 'vis_data' / 'scalars.json'
    log.write_text('x\n' + log.read_text())
    assert refuse(killed).startswith(f'{log}: line 1: ')
    (killed / '20260102_000000' / '20260102_000000.json').write_text('{')
    log.unlink()
    assert refuse(killed).startswith(
        f'{killed}/20260102_000000/20260102_000000.json: ')
    assert not out.exists()


@pytest.mark.parametrize('content', [
    '{"step": "x", "iter": 1}', '{"step": 1, "iter": 1, "loss": "x"}',
    '{"step": 1, "iter": 1, "time": []}', '{"step": 1, "acc/top1": null}'
])
def test_values_that_are_no_numbers(tool, killed, capsys, content):
    log = killed / '20260102_000000' / 'vis_data' / 'scalars.json'
    log.write_text(f'{content}\n{log.read_text()}')
    line = refusal(tool, capsys, killed).partition('error: ')[2]
    assert line.startswith(f'{log}: line 1: expected a number as ')


def test_a_log_that_is_no_text(tool, killed, capsys):
    log = killed / '20260102_000000' / 'vis_data' / 'scalars.json'
    log.write_bytes(bytes(range(256)))
    assert refusal(tool, capsys, killed) == f'error: {log}: it is no text'


def test_help_shows_an_example_and_the_command_works(killed):
    def run(*argv):
        return subprocess.run(
            [sys.executable, SCRIPT, *argv],
            env=dict(os.environ, PYTHONPATH=str(REPO), OMP_NUM_THREADS='1'),
            capture_output=True, text=True)

    done = run('--help')
    assert 'example:' in done.stdout and 'WORK_DIR' in done.stdout
    done = run(killed)
    assert done.returncode == 0 and '50.0 (best 90.0)' in done.stdout
