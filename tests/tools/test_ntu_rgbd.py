import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import payloads
import pytest
from tools_loading import load_script
from tools_loading import refusal as fail

import umurl_mmaction
from umurl_mmaction.datasets.transforms import SkeletonPreNormalize

REPO = Path(__file__).parents[2]
SCRIPT = REPO / 'tools' / 'data' / 'ntu_rgbd.py'
NAME = 'S001C001P001R001A001'
BODY = '72057594037930001 0 1 1 1 1 0 0.0123 -0.0456 2'

# Of fixtures/ntu_raw, counted by hand.
XSUB_VAL = [
    'S001C002P006R001A002', 'S001C003P003R001A003', 'S001C003P007R001A003',
    'S002C003P006R002A003', 'S003C001P003R001A001', 'S003C001P007R001A001',
    'S004C001P006R002A001', 'S004C002P003R002A002', 'S004C002P007R002A002'
]
XVIEW_VAL = [
    'S001C001P001R001A001', 'S001C001P005R001A001', 'S002C001P004R002A001',
    'S002C001P008R002A001', 'S003C001P003R001A001', 'S003C001P007R001A001',
    'S004C001P002R002A001', 'S004C001P006R002A001'
]
XSET_TRAIN = [
    'S002C001P004R002A001', 'S002C001P008R002A001', 'S002C002P001R002A002',
    'S002C002P005R002A002', 'S002C003P002R002A003', 'S002C003P006R002A003',
    'S004C001P002R002A001', 'S004C001P006R002A001', 'S004C002P003R002A002',
    'S004C002P007R002A002', 'S004C003P004R002A003', 'S004C003P008R002A003'
]


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


@pytest.fixture
def raw(shared):
    return shared('fixtures/ntu_raw')


@pytest.fixture
def missing(shared):
    return shared('fixtures/ntu_raw.missing.txt')


def write(path, frames):
    """Write a .skeleton file.

    Args:
        path (Path): The file.
        frames (list): For each frame an array (M, 25, 3).
    """
    lines = [len(frames)]
    for bodies in frames:
        lines.append(len(bodies))
        for body in bodies:
            lines += [BODY, 25]
            lines += [' '.join(map(repr, map(float, joint))) +
                      ' 277.4 191.8 -1.#IND 519.2 -0.2 0.05 0.97 -0.12 2'
                      for joint in body]
    path.write_text('\r\n'.join(map(str, lines)) + '\r\n')


def people(*scales, num_frames=6):
    """Bodies that move as much as told, (T, M, 25, 3)."""
    rng = np.random.default_rng(len(scales))
    return 3 + rng.normal(size=(num_frames, len(scales), 25, 3)) * np.reshape(
        scales, (-1, 1, 1))


@pytest.fixture
def folder(tmp_path):
    """Two clips of one and two bodies."""
    path = tmp_path / 'src'
    path.mkdir()
    write(path / f'{NAME}.skeleton', people(1))
    write(path / 'S002C002P003R001A060.skeleton', people(1, 2))
    return path


def run(tool, capsys, *argv, out, dataset=60):
    """Run the command; what it printed after the bar, and the pickle."""
    tool.main([
        *map(str, argv), '--out', str(out), '--dataset', str(dataset),
        '--workers', '1'
    ])
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if ' clips, ' in line)
    return lines[start:], pickle.loads(out.read_bytes())


# The paper's arrays


@pytest.mark.shared
def test_arrays_are_those_of_the_paper(tool, raw, missing, golden, tmp_path,
                                       capsys):
    expected = golden('ntu_preprocess.npz')
    lines, data = run(
        tool, capsys, raw, '--missing', missing, out=tmp_path / 'a.pkl')
    assert data['skeleton'] == 'nturgb+d'
    clips = data['annotations']
    assert [clip['frame_dir'] for clip in clips] == sorted(expected['names'])
    num_frames = dict(zip(expected['names'], expected['num_frames']))
    normalize = SkeletonPreNormalize()
    for clip in clips:
        name, keypoint = clip['frame_dir'], clip['keypoint']
        assert clip['label'] == int(name[-3:]) - 1
        assert clip['total_frames'] == num_frames[name]
        assert keypoint.dtype == np.float32
        assert keypoint.any(axis=(1, 2, 3)).all()
        for key, array in (('raw', keypoint),
                           ('normalized',
                            normalize(dict(keypoint=keypoint))['keypoint'])):
            both = np.zeros_like(expected[f'{name}/{key}'])
            both[:len(array)] = array
            np.testing.assert_allclose(
                both, expected[f'{name}/{key}'], rtol=0, atol=1e-5)
    assert {len(clip['keypoint']) for clip in clips} == {1, 2}
    assert lines == [
        '24 clips, 3 classes, 1239 frames, 34 bodies',
        '15 xsub_train, 9 xsub_val, 16 xview_train, 8 xview_val',
        '1 skipped', '  1: listed as missing (S001C002P005R002A001)',
        f'written to {tmp_path / "a.pkl"}'
    ]


@pytest.mark.shared
@pytest.mark.parametrize('dataset, second, listed', [
    (60, 'xview', dict(xsub_val=XSUB_VAL, xview_val=XVIEW_VAL)),
    (120, 'xset', dict(xsub_val=XSUB_VAL, xset_train=XSET_TRAIN))])
def test_splits(tool, raw, missing, tmp_path, capsys, dataset, second, listed):
    _, data = run(tool, capsys, raw, '--missing', missing,
                  out=tmp_path / 'a.pkl', dataset=dataset)
    names = [clip['frame_dir'] for clip in data['annotations']]
    split = data['split']
    assert list(split) == [
        'xsub_train', 'xsub_val', f'{second}_train', f'{second}_val']
    for part, expected in listed.items():
        assert split[part] == expected
    for protocol in ('xsub', second):
        both = split[f'{protocol}_train'] + split[f'{protocol}_val']
        assert sorted(both) == names


@pytest.mark.shared
def test_same_bytes_whatever_the_sources_and_workers(
        tool, raw, missing, tmp_path, capsys):
    run(tool, capsys, raw, '--missing', missing, out=tmp_path / 'a.pkl')
    half = tmp_path / 'half' / 'deeper'
    half.mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w',
                         zipfile.ZIP_DEFLATED) as archive:
        for i, file in enumerate(raw.iterdir()):
            if i % 2:
                shutil.copy(file, half)
            else:
                archive.write(file, f'nturgb+d_skeletons/{file.name}')
        archive.writestr(f'__MACOSX/._{file.name}', 'no skeleton')
    env = dict(os.environ, PYTHONPATH=str(
        Path(umurl_mmaction.__file__).parents[1]), OMP_NUM_THREADS='1')
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / 'a.zip', half.parent, '--missing',
         missing, '--dataset', '60', '--out', tmp_path / 'b.pkl',
         '--workers', '2'], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '24/24' not in done.stdout  # bars are for terminals
    assert (tmp_path / 'a.pkl').read_bytes() == (
        tmp_path / 'b.pkl').read_bytes()


def test_zip_equals_folder(tool, folder, tmp_path, capsys):
    archive = shutil.make_archive(str(tmp_path / 'src'), 'zip', folder)
    _, data = run(tool, capsys, folder, out=tmp_path / 'a.pkl')
    run(tool, capsys, archive, out=tmp_path / 'b.pkl')
    assert len(data['annotations']) == 2
    assert (tmp_path / 'a.pkl').read_bytes() == (
        tmp_path / 'b.pkl').read_bytes()


# The bodies


def read(tool, path, frames):
    write(path, frames)
    return tool.select_bodies(tool.parse_skeleton(path.read_bytes()))


def test_two_most_moving_bodies_are_kept_in_order(tool, tmp_path):
    frames = people(1, 3, 2)
    keypoint = read(tool, tmp_path / 'a', frames)
    np.testing.assert_array_equal(
        keypoint, frames[:, [1, 2]].swapaxes(0, 1).astype(np.float32))


def test_energy_is_of_the_frames_with_the_body(tool, tmp_path):
    """Frames of zeros, far from the body, would count as motion."""
    steady, lively = people(.5, 1, num_frames=8).swapaxes(0, 1)
    frames = [[a, b] for a, b in zip(lively, steady)]
    frames[2:4] = [[body] for body in lively[2:4]]
    frames.insert(4, [])
    keypoint = read(tool, tmp_path / 'a', frames)
    assert keypoint.shape == (2, 9, 25, 3)
    np.testing.assert_array_equal(keypoint[0, :4],
                                  lively[:4].astype(np.float32))
    assert not keypoint[0, 4].any() and not keypoint[1, 2:5].any()


def test_standard_deviations_are_summed_not_variances(tool):
    one, all_three = np.zeros((2, 4, 25, 3))
    one[::2, :, 0], all_three[::2] = 1.5, .8
    one, all_three = one + 9, all_three + 9
    assert one.var(axis=(0, 1)).sum() > all_three.var(axis=(0, 1)).sum()
    assert tool.motion_energy(all_three) > tool.motion_energy(one)
    np.testing.assert_allclose(tool.motion_energy(all_three), 3 * .4)
    assert tool.motion_energy(np.zeros((4, 25, 3))) == 0


def test_bodies_beyond_the_fourth_are_not_looked_at(tool, tmp_path):
    frames = people(1, 2, 1, 3, 9)
    keypoint = read(tool, tmp_path / 'a', frames)
    np.testing.assert_array_equal(
        keypoint, frames[:, [3, 1]].swapaxes(0, 1).astype(np.float32))


# What is left out


def test_published_list(tool):
    names = tool.read_missing(tool.MISSING)
    clips = [tool.parse_name(name) for name in names]
    assert len(names) == 535
    first = [clip for clip in clips if clip.setup <= 17]
    assert len(first) == 302
    # 40320 clips for training and 37920 in two views, as published, less
    # these are the 40091 and 37646 that skeleton papers report.
    assert sum(clip.subject in tool.SUBJECTS_60 for clip in first) == 229
    assert sum(clip.camera != 1 for clip in first) == 274
    for clip in clips:
        release = tool.RELEASES['60' if clip.setup <= 17 else '120']
        assert all(x <= y for x, y in zip(clip, release.highest))


def test_subjects(tool):
    assert len(tool.SUBJECTS_60) == 20 and len(tool.SUBJECTS_120) == 53
    assert max(tool.SUBJECTS_60) <= 40 and max(tool.SUBJECTS_120) <= 106


def test_left_out(tool, folder, tmp_path, capsys):
    listed = 'S001C002P005R002A008'  # as published
    write(folder / f'{listed}.skeleton', people(1))
    write(folder / 'S003C001P001R001A002.skeleton', [[], []])
    write(folder / 'S018C001P001R001A061.skeleton', people(1))
    lines, data = run(tool, capsys, folder, out=tmp_path / 'a.pkl')
    assert lines == [
        '2 clips, 2 classes, 12 frames, 3 bodies',
        '1 xsub_train, 1 xsub_val, 1 xview_train, 1 xview_val',
        '3 skipped', f'  1: listed as missing ({listed})',
        '  1: not of NTU RGB+D 60 (S018C001P001R001A061)',
        '  1: no body in any frame (S003C001P001R001A002)',
        f'written to {tmp_path / "a.pkl"}'
    ]
    assert [clip['label'] for clip in data['annotations']] == [0, 59]

    other = tmp_path / 'missing.txt'
    other.write_text(f'The one clip to ignore:\n\n{NAME}\n')
    _, data = run(tool, capsys, folder, '--missing', other,
                  out=tmp_path / 'a.pkl', dataset=120)
    names = [clip['frame_dir'] for clip in data['annotations']]
    assert names == [listed, 'S002C002P003R001A060', 'S018C001P001R001A061']


def test_wrong_list(tool, folder, tmp_path, capsys):
    other = tmp_path / 'missing.txt'
    other.write_text(f'# mine\n{NAME}.skeleton\n')
    line = fail(tool, capsys, folder, '--missing', other, '--dataset', 60,
                '--out', tmp_path / 'a.pkl')
    assert f'{other}, line 2: expected a name like S001C002P003R002A013' in (
        line)


# Broken files


def edit(number, text):
    """Replace a line, counted from 1; None cuts the file before it."""

    def change(lines):
        if text is None:
            return lines[:number - 1]
        return lines[:number - 1] + [text] + lines[number:]

    return change


JOINT = '1 2 3 4 5 6 7 8 9 10 11 12'


@pytest.mark.parametrize('change, message', [
    (edit(1, None), 'line 1: expected the number of frames, the file ends'),
    (edit(1, 'x'), "line 1: expected the number of frames, got 'x'"),
    (edit(1, '99999999999'),
     'line 170: expected the number of bodies, the file ends'),
    (edit(1, '5'), "line 142: expected the end of the file, got '1'"),
    (edit(2, '-1'), "line 2: expected the number of bodies, got '-1'"),
    (edit(3, '7 0'), "line 3: expected the 10 numbers of a body, got '7 0'"),
    (edit(4, '24'), "line 4: expected 25 joints, got '24'"),
    (edit(29, None), 'line 29: expected the 12 numbers of a joint, the file '
     'ends'),
    (edit(31, '0.5 1.25 3'), 'line 31: expected the 10 numbers of a body, '
     "got '0.5 1.25 3'"),
    (edit(5, '0.5 1.25 3'), 'line 5: expected the 12 numbers of a joint, got '
     "'0.5 1.25 3'"),
    (edit(5, 'a' + JOINT), 'line 5: expected the 12 numbers of a joint, got '
     f"'a{JOINT}'"),
    (edit(5, 'nan' + JOINT[1:]), 'line 5: expected finite coordinates, got '
     f"'nan{JOINT[1:]}'"),
    (edit(5, '1e39' + JOINT[1:]), 'line 5: expected finite coordinates, got '
     f"'1e39{JOINT[1:]}'"),
    (edit(2, '\x00\xff'), 'line 2: expected the number of bodies')])
def test_malformed(tool, folder, tmp_path, capsys, change, message):
    file = folder / f'{NAME}.skeleton'
    lines = file.read_text().splitlines()
    assert len(lines) == 169
    file.write_text('\n'.join(change(lines)))
    out = tmp_path / 'a.pkl'
    argv = [folder, '--dataset', 60, '--out', out, '--workers', 1]
    assert f'error: {file}: {message}' in fail(tool, capsys, *argv)
    assert not out.exists()


def test_skip_errors(tool, folder, tmp_path, capsys):
    (folder / f'{NAME}.skeleton').write_text('1\n')
    (folder / 'mine.skeleton').touch()
    out = tmp_path / 'a.pkl'
    argv = [folder, '--dataset', 60, '--out', out, '--workers', 1]
    assert 'mine.skeleton: expected a name like' in fail(tool, capsys, *argv)
    lines, data = run(tool, capsys, folder, '--on-error', 'skip', out=out)
    assert lines[2:-1] == [
        '2 skipped',
        "  1: expected a name like S001C002P003R002A013, got 'mine'",
        f'  1: {folder / NAME}.skeleton: line 2: expected the number of '
        'bodies, the file ends'
    ]
    assert len(data['annotations']) == 1

    (folder / 'S002C002P003R001A060.skeleton').unlink()
    line = fail(tool, capsys, *argv, '--on-error', 'skip')
    assert line.endswith('no clip is left of 2 .skeleton files')


def test_broken_member(tool, folder, tmp_path, capsys):
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.write(folder / f'{NAME}.skeleton', f'x/{NAME}.skeleton')
    path.write_bytes(path.read_bytes().replace(b'277.4', b'377.4', 1))
    line = fail(tool, capsys, path, '--dataset', 60, '--out',
                tmp_path / 'a.pkl', '--workers', 1)
    assert f'{path}/x/{NAME}.skeleton: Bad CRC' in line


def test_zip_bombs(tool, tmp_path, capsys):
    path, out = tmp_path / 'a.zip', tmp_path / 'a.pkl'
    argv = [path, '--dataset', 60, '--out', out, '--workers', 1]
    payloads.zip_bomb(path, f'{NAME}.skeleton')
    assert path.stat().st_size < 2 << 20
    line = fail(tool, capsys, *argv)
    assert f'{NAME}.skeleton: ' in line and f'become {1 << 30}' in line
    # A frame without a body takes two bytes.
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr(f'{NAME}.skeleton', '99999\n' + '0\n' * 99999)
    line = fail(tool, capsys, *argv)
    assert '99999 frames are too many for a file of 200004 bytes' in line
    assert not out.exists()


# The command


def test_sources(tool, folder, tmp_path, capsys):
    def refuse(*src):
        return fail(tool, capsys, *src, '--dataset', 60, '--out',
                    tmp_path / 'a.pkl')

    assert refuse(tmp_path / 'b').endswith('b is not there')
    (tmp_path / 'b').mkdir()
    assert refuse(folder, tmp_path / 'b').endswith('b has no .skeleton file')
    shutil.copy(folder / f'{NAME}.skeleton', tmp_path / 'b')
    both = [refuse(*pair) for pair in ((folder, tmp_path / 'b'),
                                       (tmp_path / 'b', folder))]
    assert both[0] == both[1]
    assert both[0].endswith(
        f'{NAME} is there twice: {tmp_path}/b/{NAME}.skeleton and '
        f'{folder}/{NAME}.skeleton')
    half = tmp_path / 'half.zip'
    half.write_bytes(b'PK\3\4')
    assert refuse(half).endswith('half.zip is neither a folder nor a whole '
                                 'zip')


def test_interrupted_reading_leaves_the_old_file(tool, folder, tmp_path,
                                                 monkeypatch, capsys):
    out = tmp_path / 'a.pkl'
    out.write_bytes(b'old')
    read_clip, seen = tool.read_clip, []

    def interrupt(source):
        if seen:
            raise KeyboardInterrupt
        seen.append(source)
        return read_clip(source)

    monkeypatch.setattr(tool, 'read_clip', interrupt)
    with pytest.raises(SystemExit) as info:
        tool.main([str(folder), '--dataset', '60', '--out', str(out),
                   '--workers', '1'])
    assert info.value.code == 130 and seen
    assert f'interrupted, {out} is as it was' in capsys.readouterr().err
    assert out.read_bytes() == b'old'
    assert sorted(tmp_path.iterdir()) == [out, folder]


def test_help_shows_an_example():
    done = subprocess.run(
        [sys.executable, SCRIPT, '--help'], capture_output=True, text=True)
    assert done.returncode == 0
    assert 'example: python tools/data/ntu_rgbd.py' in ' '.join(
        done.stdout.split())


@pytest.mark.parametrize('argv, line', [
    (['--workers', '0'], 'argument --workers: must be at least 1, got 0'),
    (['--out', 'a.txt'], '--out must be a .pkl or .npz file, got a.txt'),
    (['--dataset', '90'], "argument --dataset: invalid choice: '90'")])
def test_wrong_values(tool, folder, tmp_path, capsys, argv, line):
    given = [folder, '--dataset', 60, '--out', tmp_path / 'a.pkl', *argv]
    assert line in fail(tool, capsys, *given)
    assert not (tmp_path / 'a.pkl').exists()
