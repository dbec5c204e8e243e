"""A clip is looked for in windows of recordings, by the command."""
import csv
import re

import mmengine
import numpy as np
import pytest
from conftest import REPO, make_annotations
from PIL import Image
from tiny_models import KNN, save_weights, tiny_config
from tools_loading import load_script, page_blocks, refusal

from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.fileio.annotations import load_annotations

TOOLS = REPO / 'tools'


@pytest.fixture(scope='module')
def tool():
    return load_script(TOOLS / 'motion_search.py')


@pytest.fixture(scope='module')
def folder(ann_file, tmp_path_factory):
    """Three recordings, a piece of one as a clip, and the windows."""
    path = tmp_path_factory.mktemp('motion')
    rng = np.random.default_rng(0)
    annotations = [
        dict(
            frame_dir=name,
            total_frames=60,
            keypoint=rng.normal(size=(1, 60, 25, 3)).astype(np.float32))
        for name in ('mon', 'tue', 'wed')
    ]
    np.save(path / 'clip.npy', annotations[1]['keypoint'][:, 20:40])
    np.save(path / 'nobody.npy', np.zeros((1, 20, 25, 3)))
    mmengine.dump(dict(annotations=annotations), str(path / 'days.pkl'))
    cfg = tiny_config(ann_file, KNN)
    cfg.dump(path / 'knn.py')
    save_weights(cfg, path / 'weights.pth')
    load_script(TOOLS / 'extract_features.py').main([
        str(path / 'knn.py'), str(path / 'weights.pth'), '--device', 'cpu',
        '--data', str(path / 'days.pkl'), '--window', '20', '--stride', '5',
        '--out', str(path / 'windows.npz')
    ])
    return path


@pytest.fixture
def argv(folder):
    return [
        str(folder / 'knn.py'), str(folder / 'weights.pth'),
        str(folder / 'windows.npz'), '--device', 'cpu'
    ]


def test_the_place_of_a_clip_is_found(tool, argv, folder, tmp_path, capsys):
    tool.main([
        *argv, str(folder / 'clip.npy'), '--num-moments', '3', '--out',
        str(tmp_path)
    ])
    lines = capsys.readouterr().out.splitlines()
    assert (f'{folder / "clip.npy"}[0:20], 20 frames, in 27 windows of 20 '
            'frames, 3 recordings of 180 frames') in lines
    assert '1  1.000  tue[20:40]' in lines
    with open(tmp_path / 'moments.csv') as f:
        rows = list(csv.DictReader(f))
    assert [row['rank'] for row in rows] == ['1', '2', '3']
    assert rows[0] == dict(
        rank='1', recording='tue', start='20', stop='40', cosine='1.0000')
    assert sorted(x.name for x in tmp_path.iterdir()) == [
        'moments.csv', 'moments.png', 'timeline.png'
    ]
    for name in ('moments.png', 'timeline.png'):
        assert np.asarray(Image.open(tmp_path / name)).std() > 1


def test_a_stretch_of_a_recording_is_no_answer_to_itself(
        tool, argv, tmp_path, capsys):
    tool.main([
        *argv, 'tue[0:50]', '--num-moments', '9', '--out', str(tmp_path)
    ])
    lines = capsys.readouterr().out.splitlines()
    assert ('note: the query has 50 frames, the windows 20: what is found '
            'may be of another speed') in lines
    found = [line.split()[2] for line in lines if '  0.' in line]
    assert len(found) >= 4
    assert {x.partition('[')[0] for x in found} == {'mon', 'wed'}


@pytest.fixture
def one(folder, tmp_path, argv):
    """The windows of one recording, and its file."""
    keypoint = np.random.default_rng(0).normal(size=(1, 60, 25, 3))
    path = tmp_path / 'day.npy'
    np.save(path, keypoint)
    load_script(TOOLS / 'extract_features.py').main([
        *argv[:2], '--device', 'cpu', '--data', str(path), '--window', '20',
        '--stride', '5', '--out', str(tmp_path / 'day.npz')
    ])
    return path


def found_in(tool, capsys, argv, *more):
    tool.main([*argv, *map(str, more)])
    lines = capsys.readouterr().out.splitlines()
    return [line.split()[2] for line in lines
            if re.match(r' *\d+  -?[01]\.\d', line)]


def test_a_query_is_no_answer_however_its_path_is_written(
        tool, argv, one, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = [*argv[:2], 'day.npz', *argv[3:], '--out', tmp_path / 'out']
    for path in (one, './day.npy', 'day.npy'):
        found = found_in(tool, capsys, map(str, argv), f'{path}[20:40]')
        frames = [tuple(map(int, re.findall(r'\d+', x.rpartition('[')[2])))
                  for x in found]
        assert frames and all(
            stop <= 20 or start >= 40 for start, stop in frames)


def test_a_recording_of_that_name_in_another_file_is_another_one(
        tool, argv, folder, tmp_path, capsys):
    data = mmengine.load(str(folder / 'days.pkl'))
    clip = dict(data['annotations'][0], frame_dir='tue')
    mmengine.dump(dict(annotations=[clip]), str(tmp_path / 'other.pkl'))
    found = found_in(tool, capsys, argv, 'tue[20:40]', '--query-data',
                     tmp_path / 'other.pkl', '--num-moments', 27, '--out',
                     tmp_path / 'out')
    assert found[0] == 'mon[20:40]'
    assert 'tue' in {x.partition('[')[0] for x in found}


def test_recordings_that_changed_are_refused(tool, argv, one, tmp_path,
                                             capsys):
    argv = [*argv[:2], tmp_path / 'day.npz', f'{one}[20:40]', '--device',
            'cpu', '--out', tmp_path / 'out']
    one.touch()
    tool.main(list(map(str, argv)))
    assert 'day.npy has another date than when' in capsys.readouterr().out
    np.save(one, np.load(one)[:, :50])
    assert 'day.npy has changed since' in refusal(tool, capsys, *argv)
    one.unlink()
    assert 'day.npy is not there: name the file that was searched with' in (
        refusal(tool, capsys, *argv))


@pytest.mark.parametrize('query, message', [
    ('tue[30:30]', 'tue[30:30] has no frames: those of tue are 0 to 59'),
    ('tue[50:70]', 'tue[50:70] has no frames: those of tue are 0 to 59'),
    ('sun', "QUERY 'sun' is neither a file nor the name of a clip of"),
    ('{}/nobody.npy', 'nobody.npy[0:20] is empty: nobody is in these frames'),
    ('{}/days.pkl', 'has 3 clips: give the name of one as QUERY'),
])
def test_a_query_without_frames(tool, argv, folder, tmp_path, capsys, query,
                                message):
    line = refusal(tool, capsys, *argv, query.format(folder), '--out',
                   tmp_path / 'out')
    assert message in line
    assert not (tmp_path / 'out').exists()


def test_features_of_another_model_are_refused(
        tool, argv, folder, tmp_path, capsys):
    more = ['mon', '--out', tmp_path / 'out', '--cfg-options']
    cfg = tiny_config(str(folder / 'days.pkl'), KNN)
    cfg.model.backbone.modalities = ('joint', 'bone')
    other = save_weights(cfg, tmp_path / 'other.pth')
    line = refusal(
        tool, capsys, argv[0], other, *argv[2:], *more,
        'model.backbone.modalities=(joint,bone)')
    assert 'windows.npz has features of another model or preparation' in line
    # Weights alone, too.
    inferencer = UmURLInferencer(argv[0], argv[1], device='cpu')
    fingerprint = inferencer.fingerprint
    next(inferencer.model.backbone.parameters()).data[0] += 1e-6
    assert inferencer.fingerprint != fingerprint


def test_a_file_of_whole_clips_is_refused(
        tool, argv, tmp_path, capsys):
    np.savez(tmp_path / 'clips.npz', fused=np.ones((2, 32)))
    line = refusal(tool, capsys, *argv[:2], tmp_path / 'clips.npz', 'mon',
                   *argv[3:])
    assert "has no 'about', only fused; wanted is a file of" in line
    line = refusal(tool, capsys, *argv[:2], tmp_path / 'lost.npz', 'mon')
    assert line.endswith('lost.npz: No such file or directory')


def test_recordings_that_moved_are_named(tool, argv, folder, tmp_path,
                                         capsys):
    data = make_annotations(num_train=1, num_val=0)
    mmengine.dump(data, str(tmp_path / 'other.pkl'))
    line = refusal(
        tool, capsys, *argv, folder / 'clip.npy', '--data',
        tmp_path / 'other.pkl', '--out', tmp_path / 'out')
    assert "other.pkl has no recording 'tue'" in line


def test_the_python_of_the_page_runs(folder, tmp_path, monkeypatch, capsys):
    blocks = page_blocks(TOOLS / 'deploy' / 'README.md', 'python')
    join, = (x for x in blocks if 'recordings.pkl' in x)
    iterate, = (x for x in blocks if 'iter_windows' in x)
    find, = (x for x in blocks if 'MotionSearch' in x)
    data = make_annotations()
    (tmp_path / 'data').mkdir()
    mmengine.dump(data, str(tmp_path / 'data' / 'synthetic.pkl'))
    monkeypatch.chdir(tmp_path)
    exec(join, {})
    recording, = load_annotations('recordings.pkl')['annotations']
    tests = data['annotations'][12:]
    assert recording['total_frames'] == sum(
        x['total_frames'] for x in tests) == recording['keypoint'].shape[1]
    monkeypatch.chdir(folder)
    scope = dict(
        inferencer=UmURLInferencer('knn.py', 'weights.pth', device='cpu'),
        clip=np.load('clip.npy'),
        recording=np.load('clip.npy'))
    exec(iterate, scope)
    assert str(scope['found']['window']) == 'recording 0[0:20]'
    exec(find, scope)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[0].startswith('tue[20:40] ')
