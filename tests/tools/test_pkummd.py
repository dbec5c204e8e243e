import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tools_loading import convert as run
from tools_loading import load_script
from tools_loading import refusal as fail

import umurl_mmaction

REPO = Path(__file__).parents[2]
SCRIPT = REPO / 'tools' / 'data' / 'pkummd.py'

# Of fixtures/pkummd_v2_raw, counted by hand: names, and the start and end
# that the label files give to the sequences of each take.
XSUB_VAL = [
    f'A03N01-{view}_{i:03d}' for view in 'LMR' for i in range(4)
]
XVIEW_VAL = [
    f'{take}-L_{i:03d}' for take in ('A01N01', 'A02N01', 'A03N01')
    for i in range(4)
]
LABELS = dict(
    A01N01=[(1, 6, 50), (3, 56, 79), (5, 85, 129), (7, 135, 179)],
    A02N01=[(2, 6, 40), (4, 46, 74), (6, 80, 124), (8, 130, 174)],
    A03N01=[(3, 6, 38), (5, 44, 88), (7, 94, 138), (9, 144, 188)])


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


@pytest.fixture
def raw(shared):
    return shared('fixtures/pkummd_v2_raw')


SPLIT = 'Training videos:\n{}, \nValidation videos:\n{}, \n'


def frames(num_frames, num_bodies=1, seed=0):
    """What a skeleton file holds, (T, 150)."""
    values = np.random.default_rng(seed).normal(size=(num_frames, 150))
    values[:, 75 * num_bodies:] = 0
    return values.round(4)


def write(path, values):
    path.write_text('\n'.join(' '.join(map(str, line)) for line in values))


@pytest.fixture
def folder(tmp_path):
    """Two sequences of part I, of one and two bodies, as published."""
    path = tmp_path / 'src'
    for name in ('skeleton', 'label', 'split'):
        (path / name).mkdir(parents=True)
    write(path / 'skeleton' / '0002-L.txt', frames(9))
    write(path / 'skeleton' / '0003-M.txt', frames(8, 2))
    (path / 'label' / '0002-L.txt').write_text('1,1,4,2\n51,6,9,1\n')
    (path / 'label' / '0003-M.txt').write_text('12,3,5,2\n')
    for name in ('subject', 'view'):
        (path / 'split' / f'cross-{name}.txt').write_text(
            SPLIT.format('0002-L', '0003-M'))
    return path


@pytest.mark.shared
def test_clips_are_the_labelled_frames(tool, raw, tmp_path, capsys):
    lines, data = run(tool, capsys, raw, out=tmp_path / 'a.pkl')
    assert data['skeleton'] == 'nturgb+d'
    clips = {clip['frame_dir']: clip for clip in data['annotations']}
    assert len(clips) == 36
    two_bodies = 0
    for file in (raw / 'skeleton').iterdir():
        rows = [row.split() for row in file.read_text().splitlines()]
        for i, (label, start, end) in enumerate(LABELS[file.name[:6]]):
            clip = clips[f'{file.stem}_{i:03d}']
            assert clip['label'] == label
            assert clip['total_frames'] == end - start + 1
            # By hand: x, y, z of joint 24 of either body.
            cut = np.array(rows[start - 1:end], np.float32)
            keypoint = clip['keypoint']
            assert keypoint.dtype == np.float32
            assert keypoint.shape[1:] == (end - start + 1, 25, 3)
            np.testing.assert_array_equal(keypoint[0, :, 24], cut[:, 72:75])
            np.testing.assert_array_equal(
                keypoint.swapaxes(0, 1).reshape(len(cut), -1),
                cut[:, :75 * len(keypoint)])
            assert not cut[:, 75 * len(keypoint):].any()
            two_bodies += len(keypoint) == 2
    assert two_bodies == 3
    assert lines == [
        '36 clips, 9 classes, 1443 frames, 39 bodies',
        '24 xsub_train, 12 xsub_val, 24 xview_train, 12 xview_val',
        '0 skipped', f'written to {tmp_path / "a.pkl"}'
    ]


@pytest.mark.shared
def test_splits(tool, raw, tmp_path, capsys):
    _, data = run(tool, capsys, raw, out=tmp_path / 'a.pkl')
    names = [clip['frame_dir'] for clip in data['annotations']]
    assert names == sorted(names)
    split = data['split']
    assert list(split) == ['xsub_train', 'xsub_val', 'xview_train',
                           'xview_val']
    assert split['xsub_val'] == XSUB_VAL
    assert split['xview_val'] == XVIEW_VAL
    for protocol in ('xsub', 'xview'):
        assert sorted(split[f'{protocol}_train'] +
                      split[f'{protocol}_val']) == names


@pytest.mark.shared
def test_same_bytes_whatever_the_workers(tool, raw, tmp_path, capsys):
    run(tool, capsys, raw, out=tmp_path / 'a.pkl')
    env = dict(os.environ, PYTHONPATH=str(
        Path(umurl_mmaction.__file__).parents[1]), OMP_NUM_THREADS='1')
    done = subprocess.run(
        [sys.executable, SCRIPT, raw, '--out', tmp_path / 'b.pkl',
         '--workers', '2'], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '9/9' not in done.stdout  # bars are for terminals
    assert (tmp_path / 'a.pkl').read_bytes() == (
        tmp_path / 'b.pkl').read_bytes()


def test_part_one(tool, folder, tmp_path, capsys):
    lines, data = run(tool, capsys, folder, out=tmp_path / 'a.pkl')
    clips = data['annotations']
    assert [(clip['frame_dir'], clip['label'], clip['keypoint'].shape)
            for clip in clips] == [('0002-L_000', 0, (1, 4, 25, 3)),
                                   ('0002-L_001', 50, (1, 4, 25, 3)),
                                   ('0003-M_000', 11, (2, 3, 25, 3))]
    assert data['split']['xview_train'] == ['0002-L_000', '0002-L_001']
    np.testing.assert_array_equal(
        clips[2]['keypoint'],
        frames(8, 2)[2:5].astype(np.float32).reshape(3, 2, 25, 3).swapaxes(
            0, 1))


def test_absent_bodies(tool, folder, tmp_path, capsys):
    """Zeros in one clip of a sequence, not in the other; only the second."""
    values = frames(9, 2)
    values[:4] = 0
    values[5:, :75] = 0
    write(folder / 'skeleton' / '0002-L.txt', values)
    lines, data = run(tool, capsys, folder, out=tmp_path / 'a.pkl')
    assert lines[2:4] == [
        '1 skipped', '  1: no body in any frame (0002-L_000)']
    clip = data['annotations'][0]
    assert clip['frame_dir'] == '0002-L_001'
    np.testing.assert_array_equal(
        clip['keypoint'][0].reshape(4, 75), values[5:, 75:].astype(np.float32))


def test_label_beyond_the_last_frame(tool, folder, tmp_path, capsys):
    (folder / 'label' / '0002-L.txt').write_text('1,1,4,2\n2,6,11,2\n')
    lines, data = run(tool, capsys, folder, out=tmp_path / 'a.pkl')
    assert data['annotations'][1]['total_frames'] == 4
    assert lines[2:5] == [
        '0 skipped', '1 changed',
        '  1: labelled beyond the last frame, ends there (0002-L_001)']


@pytest.mark.parametrize('text, message', [
    ('1,5,4,2', 'line 2: expected 1 <= start <= end, got start 5 and end 4'),
    ('1,0,4,2', 'line 2: expected 1 <= start <= end, got start 0 and end 4'),
    ('0,1,4,2', 'line 2: expected an action from 1 to 51, got 0'),
    ('52,1,4,2', 'line 2: expected an action from 1 to 51, got 52'),
    ('1,10,12,2', 'line 2: expected a start within the 9 frames, got 10'),
    ('1,2,3', 'line 2: expected action_id,start,end,confidence, got '
     "'1,2,3'"),
    ('1 2 3 2', 'line 2: expected action_id,start,end,confidence, got '
     "'1 2 3 2'"),
    ('1,2.0,3,2', 'line 2: expected action_id,start,end,confidence, got '
     "'1,2.0,3,2'"),
    ('', "line 2: expected action_id,start,end,confidence, got ''")])
def test_malformed_labels(tool, folder, tmp_path, capsys, text, message):
    file = folder / 'label' / '0002-L.txt'
    file.write_text(f'1,1,4,2\n{text}\n2, 5, 6, 1\r\n\n')
    out = tmp_path / 'a.pkl'
    argv = [folder, '--out', out, '--workers', 1]
    assert f'error: {file}: {message}' in fail(tool, capsys, *argv)
    assert not out.exists()
    # The others keep their names.
    lines, data = run(tool, capsys, folder, '--on-error', 'skip', out=out)
    assert lines[2] == '1 skipped'
    assert lines[3].startswith(f'  1: {file}: {message}')
    assert data['split']['xsub_train'] == ['0002-L_000', '0002-L_002']


def replace_line(number, text):
    return lambda lines: lines[:number - 1] + [text] + lines[number:]


@pytest.mark.parametrize('change, message', [
    (replace_line(3, '1 2 3'), 'line 3: expected 150 numbers, got 3'),
    (replace_line(9, ' '.join('0' * 151)),
     'line 9: expected 150 numbers, got 151'),
    (replace_line(2, ''), 'line 2: expected 150 numbers, got 0'),
    (replace_line(1, '1 ' * 149 + 'x'),
     "line 1: expected finite numbers, got 'x'"),
    (replace_line(1, '1 ' * 149 + 'nan'),
     "line 1: expected finite numbers, got 'nan'"),
    (replace_line(1, '1e60 ' * 150),
     "line 1: expected finite numbers, got '1e60'"),
    (lambda lines: [], 'expected a line a frame, the file is empty')])
def test_malformed_skeletons(tool, folder, tmp_path, capsys, change, message):
    file = folder / 'skeleton' / '0002-L.txt'
    file.write_text('\n'.join(change(file.read_text().splitlines())))
    out = tmp_path / 'a.pkl'
    argv = [folder, '--out', out, '--workers', 1]
    line = fail(tool, capsys, *argv)
    assert line.endswith(f'error: {file}: {message}')
    lines, data = run(tool, capsys, folder, '--on-error', 'skip', out=out)
    assert len(data['annotations']) == 1
    assert any(message in line for line in lines)


def test_missing_files(tool, folder, tmp_path, capsys):
    argv = [folder, '--out', tmp_path / 'a.pkl', '--workers', 1]
    for kind in ('label', 'skeleton'):
        file = folder / kind / '0002-L.txt'
        file.unlink()
        assert str(file) in fail(tool, capsys, *argv)
        lines, _ = run(tool, capsys, folder, '--on-error', 'skip',
                       out=tmp_path / 'a.pkl')
        assert lines[2] == '1 skipped' and str(file) in lines[3]
    shutil.copy(folder / 'skeleton' / '0003-M.txt',
                folder / 'skeleton' / '0004-R.txt')
    (folder / 'skeleton' / '._0003-M.txt').touch()
    lines, _ = run(tool, capsys, folder, '--on-error', 'skip',
                   out=tmp_path / 'a.pkl')
    assert lines[2] == '2 skipped'
    assert lines[4] == '  1: in no split (0004-R)'

    (folder / 'label' / '0003-M.txt').write_text('\n')
    line = fail(tool, capsys, *argv, '--on-error', 'skip')
    assert line.endswith('no clip is left of 2 sequences')
    shutil.rmtree(folder / 'label')
    assert fail(tool, capsys, *argv).endswith('label is not there')


@pytest.mark.parametrize('text, message', [
    ('', 'expected a heading and a line of names, twice, the file ends'),
    ('Training videos:\n0002-L\n',
     'expected a heading and a line of names, twice, the file ends'),
    (SPLIT.format('0002-L', '0003-M').replace('Training', 'Testing'),
     'line 1: expected a heading with "train", got \'Testing videos:\''),
    (SPLIT.format('0002-L,0005', '0003-M'),
     "line 2: expected names of sequences, got '0005'"),
    (SPLIT.format('0002-L', '0003-M') + 'Test:\n',
     "line 5: expected the end of the file, got 'Test:'"),
    (SPLIT.format('0002-L', '0003-M, 0002-L'), '0002-L is there 2 times')])
def test_malformed_splits(tool, folder, tmp_path, capsys, text, message):
    """Never skipped: it would change which clips are tested."""
    file = folder / 'split' / 'cross-view.txt'
    file.write_text(text)
    argv = [folder, '--out', tmp_path / 'a.pkl', '--workers', 1]
    line = fail(tool, capsys, *argv, '--on-error', 'skip')
    assert line.endswith(f'error: {file}: {message}')


def test_split_files_of_both_parts(tool, folder, tmp_path, capsys):
    file = folder / 'split' / 'cross-view.txt'
    argv = [folder, '--out', tmp_path / 'a.pkl', '--workers', 1]
    shutil.copy(file, folder / 'split' / 'cross_view_v2.txt')
    assert fail(tool, capsys, *argv).endswith(
        'split: expected one file cross?view*.txt, got cross-view.txt, '
        'cross_view_v2.txt')
    file.unlink()
    run(tool, capsys, folder, out=tmp_path / 'a.pkl')
    (folder / 'split' / 'cross_view_v2.txt').unlink()
    assert fail(tool, capsys, *argv).endswith(
        'split: expected one file cross?view*.txt, got none')


def test_help_shows_an_example():
    done = subprocess.run(
        [sys.executable, SCRIPT, '--help'], capture_output=True, text=True)
    assert done.returncode == 0
    assert 'example: python tools/data/pkummd.py' in ' '.join(
        done.stdout.split())


@pytest.mark.parametrize('argv, line', [
    (['--workers', '0'], 'argument --workers: must be at least 1, got 0'),
    (['--out', 'a.txt'], '--out must be a .pkl or .npz file, got a.txt')])
def test_wrong_values(tool, folder, tmp_path, capsys, argv, line):
    given = [folder, '--out', tmp_path / 'a.pkl', *argv]
    assert line in fail(tool, capsys, *given)
    assert not (tmp_path / 'a.pkl').exists()
