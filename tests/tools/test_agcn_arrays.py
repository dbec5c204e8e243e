import datetime
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import make_annotations
from tools_loading import closing_lines as run
from tools_loading import load_script, refusal

REPO = Path(__file__).parents[2]
SCRIPT = REPO / 'tools' / 'data' / 'agcn_arrays.py'


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


def fail(tool, capsys, *argv):
    """Run the command, which must refuse; what it says at last."""
    return refusal(tool, capsys, *argv).partition('error: ')[2]


@pytest.fixture
def source(tmp_path):
    """A pickle with the splits xsub_train and xsub_val."""
    data = make_annotations()
    data['split'] = {f'xsub_{x}': y for x, y in data['split'].items()}
    path = tmp_path / 'source.pkl'
    path.write_bytes(pickle.dumps(data))
    return path


@pytest.fixture
def arrays(tmp_path):
    """A split of three clips as AGCN-style code writes it, its prefix.

    Padding repeats the clip, as the paper's preparation does it; the second
    clip has one body.
    """
    rng = np.random.default_rng(0)
    data = rng.normal(size=(3, 3, 30, 25, 2)).astype(np.float32)
    data[1, ..., 1] = 0
    prefix = tmp_path / 'arrays' / 'train'
    prefix.parent.mkdir()
    np.save(f'{prefix}_data_joint.npy', data)
    np.save(f'{prefix}_num_frame.npy', np.array([30, 7, 12]))
    save_labels(prefix, (['a.skeleton', 'b.skeleton', 'c.skeleton'],
                         [0, 59, 3]))
    return prefix


def save_labels(prefix, labels, protocol=None):
    Path(f'{prefix}_label.pkl').write_bytes(pickle.dumps(labels, protocol))


def to_pickle(prefix, out):
    # Workers cannot find a script that is no module.
    return ('to-pickle', '--train', prefix, '--out', out, '--workers', 1)


def test_clips_are_cut_at_their_length(tool, arrays, tmp_path, capsys):
    out = tmp_path / 'a.pkl'
    lines = run(tool, capsys, *to_pickle(arrays, out))
    data = pickle.loads(out.read_bytes())
    assert data['split'] == dict(
        train=['a.skeleton', 'b.skeleton', 'c.skeleton'])
    raw = np.load(f'{arrays}_data_joint.npy')
    for i, (clip, label, num_frames, num_bodies) in enumerate(
            zip(data['annotations'], (0, 59, 3), (30, 7, 12), (2, 1, 2))):
        assert clip['label'] == label
        assert clip['total_frames'] == num_frames
        assert type(clip['keypoint']) is np.ndarray
        assert clip['keypoint'].dtype == np.float32
        for m in range(num_bodies):
            for c in range(3):
                np.testing.assert_array_equal(
                    clip['keypoint'][m, :, :, c], raw[i, c, :num_frames, :, m])
        assert len(clip['keypoint']) == num_bodies
    assert lines == ['3 clips, 3 classes, 49 frames, 5 bodies', '3 train',
                     '0 skipped', f'written to {out}']


def test_pickle_to_arrays_and_back(tool, source, tmp_path, capsys):
    for part, count in (('train', 12), ('val', 6)):
        lines = run(tool, capsys, 'from-pickle', source, '--split',
                    f'xsub_{part}', '--out-prefix', tmp_path / 'new' / part)
        assert lines[1:] == [f'{count} xsub_{part}', '0 skipped',
                             f'written to {tmp_path}/new/{part}_*']
    assert sorted(x.name for x in (tmp_path / 'new').iterdir()) == sorted(
        f'{part}{suffix}' for part in ('train', 'val')
        for suffix in tool.SUFFIXES)
    joints = np.load(tmp_path / 'new' / 'train_data_joint.npy')
    assert joints.shape == (12, 3, 300, 25, 2) and joints.dtype == np.float32
    lengths = np.load(tmp_path / 'new' / 'train_num_frame.npy')
    assert not joints[0, :, lengths[0]:].any()

    out = tmp_path / 'back.pkl'
    run(tool, capsys, 'to-pickle', '--workers', 1, '--train',
        tmp_path / 'new' / 'train', '--val', tmp_path / 'new' / 'val',
        '--split-name', 'xsub', '--out', out)
    old, new = (pickle.loads(x.read_bytes()) for x in (source, out))
    assert new['split'] == old['split']
    assert len(new['annotations']) == len(old['annotations']) == 18
    for a, b in zip(old['annotations'], new['annotations']):
        np.testing.assert_array_equal(a.pop('keypoint'), b.pop('keypoint'))
        assert a == b


def test_arrays_to_pickle_and_back(tool, arrays, tmp_path, capsys):
    """Equal but for the padding, which is zeros."""
    run(tool, capsys, *to_pickle(arrays, tmp_path / 'a.pkl'))
    run(tool, capsys, 'from-pickle', tmp_path / 'a.pkl', '--split', 'train',
        '--out-prefix', tmp_path / 'new', '--max-frames', 30)
    expected = np.load(f'{arrays}_data_joint.npy')
    expected[1, :, 7:] = 0
    expected[2, :, 12:] = 0
    np.testing.assert_array_equal(
        np.load(tmp_path / 'new_data_joint.npy'), expected)
    np.testing.assert_array_equal(
        np.load(tmp_path / 'new_num_frame.npy'), [30, 7, 12])
    assert pickle.loads((tmp_path / 'new_label.pkl').read_bytes()) == (
        pickle.loads(Path(f'{arrays}_label.pkl').read_bytes()))


def test_too_long_and_too_many(tool, arrays, tmp_path, capsys):
    out = tmp_path / 'a.pkl'
    run(tool, capsys, *to_pickle(arrays, out))
    lines = run(tool, capsys, 'from-pickle', out, '--split', 'train',
                '--out-prefix', tmp_path / 'new', '--max-frames', 10,
                '--num-person', 1)
    raw = np.load(f'{arrays}_data_joint.npy')
    joints = np.load(tmp_path / 'new_data_joint.npy')
    np.testing.assert_array_equal(joints[[0, 2]], raw[[0, 2], :, :10, :, :1])
    np.testing.assert_array_equal(
        np.load(tmp_path / 'new_num_frame.npy'), [10, 7, 10])
    assert lines[2:5] == [
        '0 skipped', '2 changed',
        '  2: only the first 1 bodies are kept, only the first 10 frames are '
        'kept (a.skeleton, ...)']


def test_a_clip_of_zeros(tool, arrays, tmp_path, capsys):
    data = np.load(f'{arrays}_data_joint.npy')
    data[1, :, :7] = 0
    np.save(f'{arrays}_data_joint.npy', data)
    lines = run(tool, capsys, *to_pickle(arrays, tmp_path / 'a.pkl'))
    assert lines[2] == '1 skipped'
    assert lines[3] == '  1: no body in any frame (b.skeleton)'


# The label pickle


class Evil:

    def __reduce__(self):
        return os.system, ('touch owned',)


@pytest.mark.parametrize('content, what', [
    (Evil(), 'posix.system'),
    ((['a'], [Evil()]), 'posix.system'),
    ((['a'], [datetime.date(2020, 1, 1)]), 'datetime.date'),
    (getattr, 'builtins.getattr'),
    (np.random.seed, 'seed')])
def test_labels_that_would_call_something(tool, arrays, tmp_path, capsys,
                                          monkeypatch, content, what):
    monkeypatch.chdir(tmp_path)
    save_labels(arrays, content)
    line = fail(tool, capsys, *to_pickle(arrays, 'a.pkl'))
    assert line.startswith(f'{arrays}_label.pkl: no pickle of plain data: it '
                           'asks for ')
    assert what in line
    assert not (tmp_path / 'owned').exists()
    assert not (tmp_path / 'a.pkl').exists()


def test_workers_do_not_change_a_byte(arrays, tmp_path):
    files = []
    for workers in (1, 2):
        files.append(tmp_path / f'{workers}.pkl')
        subprocess.run(
            [
                sys.executable, SCRIPT, 'to-pickle', '--train', arrays,
                '--out', files[-1], '--workers', str(workers)
            ],
            check=True,
            capture_output=True)
    first, second = (file.read_bytes() for file in files)
    assert first == second


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('labels', [
    (['a', 'b', 'c'], [0, 59, 3]), [('a', 'b', 'c'), (0, 59, 3)],
    (np.array(['a', 'b', 'c']), np.array([0, 59, 3])),
    (['a', 'b', 'c'], [np.int64(0), np.int32(59), np.uint8(3)]),
    (np.array(['a', 'b', 'c'], object), [0, 59, 3])])
def test_labels_of_any_protocol(tool, arrays, labels, protocol):
    save_labels(arrays, labels, protocol)
    split = tool.open_arrays(str(arrays))
    assert split.names == ['a', 'b', 'c'] and split.labels == [0, 59, 3]
    assert {type(x) for x in split.labels} == {int}


@pytest.mark.parametrize('labels, message', [
    ('abc', 'expected a pair of names and classes'),
    ((['a'], [1], [2]), 'expected a pair of names and classes'),
    ((['a', 'b', 3], [1, 2, 3]), 'expected a list of names as strings'),
    ((['a', 'b', 'c'], 7), 'expected a list of classes'),
    ((['a', 'b', 'c'], [1, 'x', 2]),
     "entry 1: expected a class, an integer from 0, got 'x'"),
    ((['a', 'b', 'c'], [1, 2, -1]),
     'entry 2: expected a class, an integer from 0, got -1')])
def test_malformed_labels(tool, arrays, tmp_path, capsys, labels, message):
    save_labels(arrays, labels)
    line = fail(tool, capsys, *to_pickle(arrays, tmp_path / 'a.pkl'))
    assert line == f'{arrays}_label.pkl: {message}'


# Broken arrays


NAN = np.ones((3, 3, 30, 25, 2), np.float32)
NAN[1, 0, 3] = np.nan


@pytest.mark.parametrize('suffix, array, message', [
    ('_num_frame.npy', np.array([30, 31, 12]),
     'entry 1 (b.skeleton): expected 1 to 30 frames, got 31'),
    ('_num_frame.npy', np.array([30, 7, 0]),
     'entry 2 (c.skeleton): expected 1 to 30 frames, got 0'),
    ('_num_frame.npy', np.array([3., 4, 5]),
     'expected integers (N, ), got float64 (3,)'),
    ('_num_frame.npy', np.array([30, 7]), ' has 2 clips, but '),
    ('_num_frame.npy', np.array([30, None, 2]), 'Python objects in dtype'),
    ('_data_joint.npy', np.zeros((3, 3, 30, 50), np.float32),
     'expected floats (N, C, T, V, M), got float32 (3, 3, 30, 50)'),
    ('_data_joint.npy', NAN,
     'entry 1 (b.skeleton): expected finite coordinates')])
def test_malformed_arrays(tool, arrays, tmp_path, capsys, suffix, array,
                          message):
    np.save(f'{arrays}{suffix}', array)
    line = fail(tool, capsys, *to_pickle(arrays, tmp_path / 'a.pkl'))
    assert line.startswith(f'{arrays}{suffix}') and message in line
    assert not (tmp_path / 'a.pkl').exists()


def test_missing_and_truncated_files(tool, arrays, tmp_path, capsys):
    argv = to_pickle(arrays, tmp_path / 'a.pkl')
    for suffix in tool.SUFFIXES:
        path = Path(f'{arrays}{suffix}')
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        assert fail(tool, capsys, *argv).startswith(f'{path}: ')
        path.unlink()
        assert fail(tool, capsys, *argv) == (
            f'{path}: No such file or directory')
        path.write_bytes(whole)
    run(tool, capsys, *argv)


def test_a_name_twice(tool, arrays, tmp_path, capsys):
    line = fail(tool, capsys, 'to-pickle', '--train', arrays, '--val', arrays,
                '--out', tmp_path / 'a.pkl')
    assert line == ('a.skeleton is there 2 times, but a clip has one name and '
                    'one split')


# The pickle


@pytest.mark.parametrize('change, message', [
    (lambda data: data['annotations'][2].pop('label'),
     'clip002: no label, which the arrays need'),
    (lambda data: data['annotations'][2].pop('keypoint'),
     'annotation 2: no keypoint'),
    (lambda data: data['annotations'].insert(0, 7),
     'annotation 0: expected a dict, got int'),
    (lambda data: data['annotations'][2].update(
        total_frames=9, keypoint=np.ones((1, 9, 17, 3), np.float32)),
     'clip002: expected (M, T, V, C), V and C as in the first clip'),
    (lambda data: data.pop('split'), "no split 'xsub_train', only none"),
    (lambda data: data['split'].pop('xsub_train'),
     "no split 'xsub_train', only xsub_val"),
    (lambda data: data.update(more=Evil()), 'it asks for posix.system')])
def test_malformed_pickles(tool, source, tmp_path, capsys, change, message):
    data = pickle.loads(source.read_bytes())
    change(data)
    source.write_bytes(pickle.dumps(data))
    line = fail(tool, capsys, 'from-pickle', source, '--split', 'xsub_train',
                '--out-prefix', tmp_path / 'new')
    assert line.startswith(f'{source}: ') and message in line
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize('change, message', [
    (dict(label=2.7), 'has label 2.7, wanted is an integer from 0'),
    (dict(label='7'), "has label '7', wanted is an integer from 0"),
    (dict(label=-3), 'has label -3, wanted is an integer from 0'),
    (dict(label=None), 'clip002: no label, which the arrays need'),
    (dict(frame_dir='clip001'), "clip 'clip001' is there twice"),
    (dict(keypoint=np.full((1, 9, 25, 3), np.nan)), 'are not finite'),
    (dict(keypoint=np.full((1, 9, 25, 3), 1e39)), 'are not finite'),
    (dict(keypoint=np.full((1, 9, 25, 3), 1j)), 'wanted are real numbers'),
])
def test_clips_that_the_dataset_refuses(tool, source, tmp_path, capsys, change,
                                        message):
    data = pickle.loads(source.read_bytes())
    data['annotations'][2].update(change)
    data['annotations'][2]['total_frames'] = (
        data['annotations'][2]['keypoint'].shape[1])
    source.write_bytes(pickle.dumps(data))
    assert message in fail(tool, capsys, 'from-pickle', source, '--split',
                           'xsub_train', '--out-prefix', tmp_path / 'new')
    assert list(tmp_path.iterdir()) == [source]


def test_names_of_a_split_without_a_clip_are_counted(tool, source, tmp_path,
                                                     capsys):
    data = pickle.loads(source.read_bytes())
    data['split']['xsub_train'] += ['lost1', 'lost2']
    source.write_bytes(pickle.dumps(data))
    lines = run(tool, capsys, 'from-pickle', source, '--split', 'xsub_train',
                '--out-prefix', tmp_path / 'new')
    assert lines[2:4] == [
        '2 skipped', '  2: of split xsub_train, but no clip (lost1, ...)']


@pytest.mark.parametrize('error, code', [(OSError(28, 'disk full'), 2),
                                         (KeyboardInterrupt(), 130)])
def test_failed_write_leaves_the_old_files(tool, source, tmp_path, capsys,
                                           monkeypatch, error, code):
    old = {}
    for suffix in tool.SUFFIXES:
        old[tmp_path / f'new{suffix}'] = suffix.encode()
        (tmp_path / f'new{suffix}').write_bytes(suffix.encode())

    def stop(*args, **kwargs):
        raise error

    monkeypatch.setattr(tool.pickle, 'dump', stop)
    with pytest.raises(SystemExit) as info:
        tool.main(['from-pickle', str(source), '--split', 'xsub_train',
                   '--out-prefix', str(tmp_path / 'new')])
    assert info.value.code == code
    assert sorted(tmp_path.iterdir()) == sorted([*old, source])
    assert {path: path.read_bytes() for path in old} == old


# The command


def test_help_shows_an_example():
    done = subprocess.run(
        [sys.executable, SCRIPT, '--help'], capture_output=True, text=True)
    assert done.returncode == 0
    assert 'example: python tools/data/agcn_arrays.py to-pickle' in ' '.join(
        done.stdout.split())


@pytest.mark.parametrize('argv, line', [
    (['to-pickle', '--out', 'a.pkl'], '--train or --val is needed'),
    (['to-pickle', '--train', 'a', '--out', 'a.txt'],
     '--out must be a .pkl or .npz file, got a.txt'),
    (['from-pickle', 'a.pkl', '--split', 'a', '--out-prefix', 'b'],
     'a.pkl: No such file or directory'),
    (['from-pickle', 'a.pkl', '--split', 'a', '--out-prefix', 'b',
      '--max-frames', '0'],
     'argument --max-frames: must be at least 1, got 0')])
def test_wrong_values(tool, tmp_path, capsys, monkeypatch, argv, line):
    monkeypatch.chdir(tmp_path)
    assert fail(tool, capsys, *argv) == line
    assert not list(tmp_path.iterdir())
