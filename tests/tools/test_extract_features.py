"""Features of a whole set, in one go and in several."""
import os
import subprocess
import sys
from pathlib import Path

import mmengine
import numpy as np
import pytest
from conftest import REPO, make_annotations
from tiny_models import KNN, save_weights, tiny_config
from tools_loading import load_script, refusal

import umurl_mmaction
from umurl_mmaction.apis import UmURLInferencer

SCRIPT = REPO / 'tools' / 'extract_features.py'
DATA = make_annotations()

# The command, killed as `kill -9` does when it is about to write a file for
# the `count`th time.
KILLED = '''
import os, runpy, signal, sys
replace, count = os.replace, int(sys.argv.pop(1))

def replace_or_die(*args):
    global count
    count -= 1
    if not count:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*args)

os.replace = replace_or_die
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name='__main__')
'''


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


@pytest.fixture(scope='module')
def folder(ann_file, tmp_path_factory):
    """A config, weights and annotations in which one clip has no label."""
    path = tmp_path_factory.mktemp('extraction')
    data = make_annotations()
    del data['annotations'][2]['label']
    mmengine.dump(data, str(path / 'set.pkl'))
    cfg = tiny_config(ann_file, KNN)
    cfg.dump(path / 'knn.py')
    save_weights(cfg, path / 'weights.pth')
    return path


@pytest.fixture
def argv(folder):
    """All clips in batches of 3 and parts of 6."""
    return [
        str(folder / 'knn.py'), str(folder / 'weights.pth'), '--device', 'cpu',
        '--data', str(folder / 'set.pkl'), '--batch-size', '3',
        '--part-size', '7', '--features', 'fused', 'joint'
    ]


def test_features_names_and_labels(tool, argv, folder, tmp_path, capsys):
    out = tmp_path / 'features.npz'
    tool.main([*argv, '--out', str(out)])
    assert list(tmp_path.iterdir()) == [out]
    assert capsys.readouterr().out.splitlines()[-5:] == [
        'fused (18, 32) float32', 'joint (18, 32) float32', 'names (18,) <U7',
        'labels (18,) int64', f'written to {out}'
    ]
    with np.load(out) as got:
        assert got.files == [
            'fused', 'joint', 'names', 'labels', 'about'
        ]
        assert got['names'].tolist() == [
            x['frame_dir'] for x in DATA['annotations']
        ]
        assert got['labels'].tolist() == [
            -1 if i == 2 else i % 3 for i in range(18)
        ]
        inferencer = UmURLInferencer(
            folder / 'knn.py', folder / 'weights.pth', device='cpu')
        expected = inferencer.extract_features(DATA['annotations'],
                                               ('fused', 'joint'))
        for kind, features in expected.items():
            np.testing.assert_allclose(got[kind], features, atol=1e-6)


def test_the_test_set_is_the_default(tool, folder, tmp_path, capsys):
    out = tmp_path / 'features.npz'
    argv = [
        str(folder / 'knn.py'), str(folder / 'weights.pth'), '--out', str(out)
    ]
    tool.main(argv)
    with np.load(out) as got:
        assert got['names'].tolist() == DATA['split']['val']
    tool.main([*argv, '--split', 'train'])
    with np.load(out) as got:
        assert got['names'].tolist() == DATA['split']['train']


def test_a_killed_run_goes_on_and_leaves_the_same_file(
        tool, argv, tmp_path, monkeypatch, capsys):
    whole, out = tmp_path / 'whole.npz', tmp_path / 'out.npz'
    tool.main([*argv, '--out', str(whole)])
    env = dict(
        os.environ,
        OMP_NUM_THREADS='1',
        PYTHONPATH=str(Path(umurl_mmaction.__file__).parents[1]))
    # What is written: which run it is, part 0, and part 1.
    killed = subprocess.run([
        sys.executable, '-W', 'ignore', '-c', KILLED, '3', SCRIPT, *argv,
        '--out', out
    ], env=env, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    parts = tmp_path / 'out.npz.parts'
    assert not out.exists()
    assert [x.name for x in sorted(parts.glob('0*'))] == ['000000.npz']

    capsys.readouterr()
    encoded = []
    encode = UmURLInferencer.encode_dataset

    def count(self, dataset, *args):
        encoded.append(len(dataset))
        return encode(self, dataset, *args)

    monkeypatch.setattr(UmURLInferencer, 'encode_dataset', count)
    tool.main([*argv, '--out', str(out)])
    assert encoded == [6, 6]
    assert 'going on: 1 of 3 parts are there' in capsys.readouterr().out
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()


def test_an_interrupted_merge_encodes_nothing_again(
        tool, argv, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'out.npz'
    tool.main([*argv, '--out', str(out)])
    whole = out.read_bytes()
    out.write_bytes(b'an old file')

    def stop(self):
        raise KeyboardInterrupt

    from umurl_mmaction.apis.extraction import FeatureExtraction
    with monkeypatch.context() as patch:
        patch.setattr(FeatureExtraction, '_merge', stop)
        with pytest.raises(SystemExit) as info:
            tool.main([*argv, '--out', str(out)])
    assert info.value.code == 130
    assert capsys.readouterr().err.endswith(
        f'interrupted, {out} is as it was\n')
    assert out.read_bytes() == b'an old file'
    monkeypatch.setattr(UmURLInferencer, 'encode_dataset', None)
    tool.main([*argv, '--out', str(out)])
    assert out.read_bytes() == whole


def test_a_damaged_part_is_named(tool, argv, tmp_path, monkeypatch, capsys):
    from umurl_mmaction.apis.extraction import FeatureExtraction
    out = tmp_path / 'out.npz'
    with monkeypatch.context() as patch:
        patch.setattr(FeatureExtraction, '_merge', lambda self: {})
        tool.main([*argv, '--out', str(out)])
    part = tmp_path / 'out.npz.parts' / '000001.npz'
    data = bytearray(part.read_bytes())
    data[300] ^= 255  # a number of the features
    part.write_bytes(data)
    line = refusal(tool, capsys, *argv, '--out', out)
    assert f'{part}: fused cannot be read: Bad CRC-32' in line
    assert line.endswith('remove it, and run this again')
    assert not out.exists()
    part.unlink()
    tool.main([*argv, '--out', str(out)])
    with np.load(out) as got:
        assert len(got['fused']) == len(got['names']) == 18


def test_windows_are_the_same_frames_cut_as_clips(
        tool, argv, folder, tmp_path, capsys):
    out = tmp_path / 'windows.npz'
    tool.main([*argv, '--window', '40', '--stride', '16', '--out', str(out)])
    got = np.load(out)
    # The last window of a recording ends with it; a short one has one.
    clips, names, frames = [], [], []
    for x in DATA['annotations']:
        T = x['total_frames']
        last = max(T - 40, 0)
        for start in sorted({*range(0, last, 16), last}):
            stop = min(start + 40, T)
            clips.append(x['keypoint'][:, start:stop])
            names.append(x['frame_dir'])
            frames.append([start, stop])
    short = sum(x['total_frames'] < 40 for x in DATA['annotations'])
    assert short and (
        f'{len(clips)} windows of 40 frames, one each 16, of 18 recordings; '
        f'{short} shorter than a window: one window of all frames each\n'
    ) in capsys.readouterr().out
    assert got['names'].tolist() == names
    assert got['frames'].tolist() == frames
    inferencer = UmURLInferencer(
        folder / 'knn.py', folder / 'weights.pth', device='cpu', batch_size=3)
    expected = inferencer.extract_features(clips, ('fused', 'joint'))
    for kind, features in expected.items():
        assert np.array_equal(got[kind], features)
    half = tmp_path / 'half.npz'
    tool.main([
        *argv, '--window', '40', '--stride', '16', '--dtype', 'float16',
        '--out', str(half)
    ])
    assert np.array_equal(
        np.load(half)['fused'], got['fused'].astype(np.float16))


def test_workers_change_nothing(tool, argv, tmp_path):
    for workers in ('0', '2'):
        tool.main([
            *argv, '--workers', workers, '--out',
            str(tmp_path / f'{workers}.npz')
        ])
    assert (tmp_path / '0.npz').read_bytes() == (
        tmp_path / '2.npz').read_bytes()


def test_parts_of_another_run_are_refused(
        tool, argv, tmp_path, monkeypatch, capsys):
    from umurl_mmaction.apis.extraction import FeatureExtraction
    out = tmp_path / 'out.npz'
    with monkeypatch.context() as patch:
        patch.setattr(FeatureExtraction, '_merge', lambda self: {})
        tool.main([*argv, '--out', str(out)])

    def refuse(*more):
        return refusal(tool, capsys, *argv, '--out', out, *more)

    message = f'{out}.parts has parts of another run: its '
    line = refuse('--features', 'fused')
    assert message + "kinds is ['fused', 'joint'], that of this run" in line
    assert message + 'split is None, that of this run train' in refuse(
        '--split', 'train')
    for more in (['--precision', 'bf16'], ['--batch-size', '2'],
                 ['--cfg-options', 'model.num_neighbors=2']):
        assert message + 'settings is' in refuse(*more)
    assert message + 'window is None, that of this run 40' in refuse(
        '--window', '40')
    assert message + 'dtype is float32, that of' in refuse(
        '--dtype', 'float16')
    assert not out.exists()


@pytest.mark.parametrize('more, message', [
    (['--out', 'a.npy'], '--out must be an .npz file, got a.npy'),
    (['--batch-size', '0'],
     'argument --batch-size: must be at least 1, got 0'),
    (['--workers', '-1'], 'argument --workers: must be at least 0, got -1'),
    (['--features', 'depth'], "this model has no 'depth' feature, only fused"),
    (['--data', 'lost.pkl'], "annotation file 'lost.pkl' is not there"),
    (['--split', 'test'], "has no split 'test', only ['train', 'val']"),
    (['--window', '0'], 'argument --window: must be at least 1, got 0'),
    (['--window', '8', '--stride', '0'],
     'argument --stride: must be at least 1, got 0'),
    (['--stride', '8'], '--stride is of no use without --window'),
])
def test_what_cannot_be(tool, argv, tmp_path, capsys, more, message):
    line = refusal(tool, capsys, *argv, '--out', tmp_path / 'a.npz', *more)
    assert message in line
    assert not list(tmp_path.iterdir())
