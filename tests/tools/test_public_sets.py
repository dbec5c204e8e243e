"""Small files in the formats that public sets are published in."""
import json

import numpy as np
import pytest
from conftest import REPO
from mmengine.config import Config
from scipy.io import savemat
from tools_loading import convert as run
from tools_loading import load_script, page_blocks, run_command
from tools_loading import refusal as fail

from umurl_mmaction.fileio.annotations import load_annotations
from umurl_mmaction.skeleton import LAYOUTS

DATASETS = REPO / 'configs' / '_base_' / 'datasets'


def tool(name):
    return load_script(REPO / 'tools' / 'data' / f'{name}.py')


@pytest.fixture
def src(tmp_path):
    path = tmp_path / 'src'
    path.mkdir()
    return path


def convert(name, capsys, src, *argv):
    return run(tool(name), capsys, src, *argv, out=src.parent / 'a.pkl')


def refuse(name, capsys, src, *argv):
    """The line of a refusal; nothing is written."""
    out = src.parent / 'b.pkl'
    line = fail(tool(name), capsys, src, '--out', out, '--workers', 1, *argv)
    assert not out.exists()
    return line.partition('error: ')[2]


def joints(num_frames, num_joints=20, seed=0):
    return np.random.default_rng(seed).uniform(
        .1, .9, (num_frames, num_joints, 3)).round(4)


def check_config(name, data, capsys=None):
    """The config of a set is true of what its converter writes."""
    cfg = Config.fromfile(DATASETS / f'{name}.py')
    assert cfg.num_classes == len(data['classes'])
    layout = cfg.skeleton.graph_cfg.layout
    assert data['skeleton'] == layout
    M, _, V, C = np.max([x['keypoint'].shape for x in data['annotations']], 0)
    assert (M, V, C) == (cfg.skeleton.num_person, LAYOUTS[layout].num_joints,
                         cfg.skeleton.in_channels)
    for part in ('train_set', 'val_set'):
        # MSRC-12 is to pre-train on, without a split.
        if part in cfg and cfg[part].split is not None:
            assert cfg[part].split in data['split']


# NW-UCLA


def write_nw_ucla(src, name, keypoint):
    (src / f'{name}.json').write_text(json.dumps(dict(
        file_name=name, skeletons=keypoint.tolist(), label=1)))


def test_nw_ucla(src, capsys):
    """Copies, and cuts of one recording, are of no clean split."""
    arrays = {
        f'a{action:02d}_s01_e00_v0{view}': joints(6, seed=10 * action + view)
        for action in (1, 12) for view in (1, 2, 3)}
    arrays['a01_s01_e00_v03'] = arrays['a01_s01_e00_v02']  # a copy
    # Has a frame of a clip of view 2.
    arrays['a12_s01_e00_v01'][2] = arrays['a12_s01_e00_v02'][4]
    for name, keypoint in arrays.items():
        write_nw_ucla(src, name, keypoint)
    _, data = convert('nw_ucla', capsys, src)
    check_config('nw_ucla', data)
    assert [(x['frame_dir'], x['label']) for x in data['annotations']] == [
        (name, 0 if name.startswith('a01') else 9) for name in sorted(arrays)]
    for clip in data['annotations']:
        np.testing.assert_array_equal(
            clip['keypoint'][0], arrays[clip['frame_dir']].astype(np.float32))

    def names(*endings):
        return [x for x in sorted(arrays) if x.endswith(endings)]

    assert data['split'] == dict(
        train=names('1', '2'), val=names('3'),
        train_nodup=[x for x in names('1', '2') if x != 'a01_s01_e00_v02'],
        val_nodup=['a12_s01_e00_v03'],
        xview1_train=names('2', '3'), xview1_val_clean=['a01_s01_e00_v01'])


@pytest.mark.shared
def test_splits_of_nw_ucla_are_those_of_the_shared_file(shared):
    """Which has the same clips, and clean splits that were made elsewhere."""
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.converters.recordings import sharing_frames
    data = load_annotations(shared('data/nw_ucla.pkl'))
    assert data['classes'] == list(tool('nw_ucla').CLASSES.values())
    clips, split = ClipCollector(), data['split']
    clips.annotations.extend(data['annotations'])
    for name, other in (('train', 'val'), ('val', 'train')):
        copies = sharing_frames(clips, split[name], split[other])
        assert len(copies) == 95
        assert split[f'{name}_nodup'] == [
            x for x in split[name] if x not in copies]
    view1 = [x['frame_dir'] for x in clips.annotations
             if x['frame_dir'].endswith('v01')]
    copies = sharing_frames(clips, view1, split['xview1_train'])
    assert split['xview1_val_clean'] == [x for x in view1 if x not in copies]
    assert (len(view1), len(copies)) == (516, 9)


@pytest.mark.parametrize('name, text, message', [
    ('a01_s01_e00_v01', '{"skeletons": [[[1, 2, 3]]]}',
     'expected skeletons (T, 20, 3), got (1, 1, 3)'),
    ('a01_s01_e00_v01', '[]', 'expected a dict with skeletons'),
    ('a01_s01_e00_v01', '{"skel', 'Unterminated string'),
    ('a07_s01_e00_v01', '{}', 'expected an action of 1, 2, 3, 4, 5, 6, 8, 9, '
     '11, 12, got 7')])
def test_malformed_nw_ucla(src, capsys, name, text, message):
    write_nw_ucla(src, 'a02_s01_e00_v02', joints(5))
    (src / f'{name}.json').write_text(text)
    line = refuse('nw_ucla', capsys, src)
    assert line.startswith(f'{src}/{name}.json: {message}')
    lines, data = convert('nw_ucla', capsys, src, '--on-error', 'skip')
    assert len(data['annotations']) == 1
    assert lines[3].startswith(f'  1: {src}/{name}.json: {message}')


# UTD-MHAD


def test_utd_mhad(src, capsys):
    """Files start at the head; here the root is first."""
    arrays = {f'a{a}_s{s}_t1': joints(7, seed=10 * a + s)
              for a in (1, 27) for s in (1, 2)}
    for name, keypoint in arrays.items():
        savemat(src / f'{name}_skeleton.mat',
                dict(d_skel=keypoint.transpose(1, 2, 0)))
    _, data = convert('utd_mhad', capsys, src)
    check_config('utd_mhad', data)
    assert [(x['frame_dir'], x['label']) for x in data['annotations']] == [
        ('a1_s1_t1', 0), ('a1_s2_t1', 0), ('a27_s1_t1', 26),
        ('a27_s2_t1', 26)]
    assert data['split'] == dict(train=['a1_s1_t1', 'a27_s1_t1'],
                                 val=['a1_s2_t1', 'a27_s2_t1'])
    order = ['head', 'shoulder_center', 'spine', 'hip_center',
             *LAYOUTS['kinect-v1'].joints[4:]]
    for clip in data['annotations']:
        for v, joint in enumerate(LAYOUTS['kinect-v1'].joints):
            np.testing.assert_array_equal(
                clip['keypoint'][0, :, v],
                arrays[clip['frame_dir']][:, order.index(joint)].astype(
                    np.float32))


@pytest.mark.shared
def test_classes_of_utd_mhad_are_those_of_the_shared_file(shared):
    data = load_annotations(shared('data/utd_mhad.pkl'))
    assert data['classes'] == tool('utd_mhad').CLASSES
    assert len(data['classes']) == 27


def test_malformed_utd_mhad(src, capsys):
    file = src / 'a1_s1_t1_skeleton.mat'
    for content, message in (
        (dict(other=np.zeros(3)), 'no d_skel'),
        (dict(d_skel=np.zeros((3, 20, 5))),
         'expected d_skel (20, 3, T), got float64 (3, 20, 5)'),
        (dict(d_skel='text'), 'expected d_skel (20, 3, T), got <U4')):
        savemat(file, content)
        assert refuse('utd_mhad', capsys,
                      src).startswith(f'{file}: {message}')
    file.write_bytes(file.read_bytes()[:150])
    assert refuse('utd_mhad', capsys, src).startswith(
        f'{file}: no .mat that SciPy can read: ')
    file.unlink()
    assert refuse('utd_mhad', capsys, src) == (
        f'{src}: no file aN_sN_tN_skeleton.mat')
    assert refuse('utd_mhad', capsys, src / 'none') == (
        f'{src}/none is no folder')


# MSRC-12


def write_msrc12(src, name, keypoint, points, gesture):
    """A frame each 33 ms; action points at some frames."""
    lines = [
        ' '.join(map(str, [33000 * t + 7,
                           *np.column_stack([frame, np.ones(20)]).ravel()]))
        for t, frame in enumerate(keypoint)]
    (src / f'{name}.csv').write_text('\n'.join(lines) + '\n')
    ticks = [round(33000 * point * 49.875) for point in points]
    (src / f'{name}.tagstream').write_text('XQPCTick;Tag\r\n' + ''.join(
        f'{tick};G{gesture} Some name\r\n' for tick in ticks))


def test_msrc12(src, capsys):
    """A whole window, one that the end cuts, and two with too few frames."""
    keypoint = joints(200)
    keypoint[:60] = 0  # nobody is found yet
    write_msrc12(src, 'P1_1_12A_p06', keypoint, [20, 120, 180, 35], 12)
    write_msrc12(src, 'P3_2_1_p07', joints(90, seed=1), [45], 1)
    lines, data = convert('msrc12', capsys, src)
    check_config('msrc12', data)
    assert [(x['frame_dir'], x['label'], x['total_frames'])
            for x in data['annotations']] == [
        ('P1_1_12A_p06_01', 11, 76), ('P1_1_12A_p06_02', 11, 65),
        ('P3_2_1_p07_00', 0, 76)]
    clip = data['annotations'][0]['keypoint'][0]
    np.testing.assert_array_equal(clip, keypoint[75:151].astype(np.float32))
    assert data['split'] == dict(
        train=['P3_2_1_p07_00'], val=['P1_1_12A_p06_01', 'P1_1_12A_p06_02'])
    assert lines[2:] == [
        '2 skipped',
        '  2: less than 16 frames with somebody around the action point '
        '(P1_1_12A_p06_00, ...)', '1 changed',
        '  1: less than 76 frames around the action point (P1_1_12A_p06_02)',
        f'written to {src.parent / "a.pkl"}']


def test_malformed_msrc12(src, capsys):
    write_msrc12(src, 'P1_1_1_p06', joints(90), [45], 1)
    tags = src / 'P1_1_1_p06.tagstream'
    for text, message in (
        ('Tag\n', "line 1: expected XQPCTick;Tag, got 'Tag'"),
        ('XQPCTick;Tag\n5;G13\n', 'line 2: expected a time and a gesture from '
         "G1 to G12, got '5;G13'"),
        ('XQPCTick;Tag\n\nG1\n', 'line 3: expected a time and a gesture')):
        tags.write_text(text)
        assert refuse('msrc12', capsys, src).startswith(f'{tags}: {message}')
    tags.unlink()
    assert refuse('msrc12', capsys, src) == (
        f'{tags}: No such file or directory')
    write_msrc12(src, 'P1_1_1_p06', joints(90), [45], 1)
    file = src / 'P1_1_1_p06.csv'
    text = file.read_text()
    file.write_text(text.replace('\n', '\n1 2\n', 1))
    assert refuse('msrc12', capsys, src) == (
        f'{file}: line 2: expected 81 numbers, got 2')


# SBU Kinect Interaction


def write_sbu(src, pair, action, take, shares):
    path = src / pair / action / take / 'skeleton_pos.txt'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(
        ','.join(map(str, [t + 1, *frame.ravel()])) + '\n'
        for t, frame in enumerate(shares)))
    return path


def test_sbu(src, capsys):
    """By hand: the middle of the picture, and its right upper corner."""
    shares = joints(4, 30).reshape(4, 2, 15, 3)
    shares[0, 0, 0] = [.5, .5, .2]
    shares[0, 1, 3] = [1, 0, .1]
    shares[1, 1, 4] = 0
    write_sbu(src, 's01s02', '01', '001', shares)
    write_sbu(src, 's06s03', '08', '002', shares)
    lines, data = convert('sbu', capsys, src)
    check_config('sbu', data)
    names = ['s01s02_01_001', 's06s03_08_002']
    assert [(x['frame_dir'], x['label']) for x in data['annotations']] == [
        (names[0], 0), (names[1], 7)]
    keypoint = data['annotations'][0]['keypoint']
    assert keypoint.shape == (2, 4, 15, 3)
    np.testing.assert_allclose(keypoint[0, 0, 0], [0, 0, .256], atol=1e-6)
    np.testing.assert_allclose(keypoint[1, 0, 3], [-1.28, .96, .128])
    assert not keypoint[1, 1, 4].any()
    for i in range(1, 6):
        tested = {1: names[:1], 5: names[1:]}.get(i, [])
        assert data['split'][f'fold{i}_val'] == tested
        assert data['split'][f'fold{i}_train'] == [
            x for x in names if x not in tested]


def test_folds_of_sbu_are_those_of_its_readme():
    folds = tool('sbu').FOLDS
    assert [' '.join(fold) for fold in folds] == [
        's01s02 s03s04 s05s02 s06s04', 's02s03 s02s07 s03s05 s05s03',
        's01s03 s01s07 s07s01 s07s03', 's02s01 s02s06 s03s02 s03s06',
        's04s02 s04s03 s04s06 s06s02 s06s03'
    ]
    assert len({pair for fold in folds for pair in fold}) == 21


def test_malformed_sbu(src, capsys):
    path = write_sbu(src, 's01s02', '01', '001', joints(3, 30))
    text = path.read_text()
    path.write_text(text.replace(',0.', ',x.', 1))
    assert refuse('sbu', capsys,
                  src).startswith(f'{path}: line 1: expected finite numbers, '
                                  "got 'x.")
    path.write_text('')
    assert refuse('sbu', capsys, src) == (
        f'{path}: expected a line a frame, the file is empty')
    path.write_text(text)
    write_sbu(src, 's01s02', '09', '001', joints(3, 30))
    assert 'expected an action of 1, 2, 3, 4, 5, 6, 7, 8, got 9' in refuse(
        'sbu', capsys, src)
    write_sbu(src, 's01s01', '01', '001', joints(3, 30))
    lines, _ = convert('sbu', capsys, src, '--on-error', 'skip')
    assert lines[2] == '2 skipped' and lines[3].endswith(
        ': s01s01 is none of the 21 pairs of the five folds')


# MSR-Action3D


def write_msr(src, name, keypoint):
    rows = keypoint.reshape(-1, 3)
    np.savetxt(src / f'{name}_skeleton3D.txt',
               np.column_stack([rows, np.ones(len(rows))]), '%.4f')


def test_msr_action3d(src, capsys):
    arrays = {f'a{a:02d}_s{s:02d}_e01': joints(5, seed=100 * a + s)
              for a in (1, 6, 20) for s in (1, 10)}
    arrays['a13_s09_e02'] = np.zeros((4, 20, 3))  # as in the set
    for name, keypoint in arrays.items():
        write_msr(src, name, keypoint)
    lines, data = convert('msr_action3d', capsys, src)
    check_config('msr_action3d', data)
    assert lines[2:4] == ['1 skipped',
                          '  1: no body in any frame (a13_s09_e02)']
    for clip in data['annotations']:
        np.testing.assert_array_equal(
            clip['keypoint'][0], arrays[clip['frame_dir']].astype(np.float32))
        assert clip['label'] == int(clip['frame_dir'][1:3]) - 1
    for name, actions in dict(_=(1, 6, 20), as1_=(6, 20), as2_=(1, ),
                              as3_=(6, 20)).items():
        name = name.lstrip('_')
        assert data['split'][f'{name}train'] == [
            f'a{a:02d}_s01_e01' for a in actions]
        assert data['split'][f'{name}val'] == [
            f'a{a:02d}_s10_e01' for a in actions]


def test_subsets_of_msr_action3d():
    """Eight actions each; four are in two of them, and three in none."""
    subsets = tool('msr_action3d').SUBSETS
    assert {len(set(actions)) for actions in subsets.values()} == {8}


def test_malformed_msr_action3d(src, capsys):
    write_msr(src, 'a01_s01_e01', joints(2))
    file = src / 'a01_s01_e01_skeleton3D.txt'
    text = file.read_text()
    file.write_text(text + '1 2 3 4\n')
    assert refuse('msr_action3d', capsys, src) == (
        f'{file}: expected 20 lines a frame, got 41 lines')
    file.write_text(text + '1 2 3\n')
    assert refuse('msr_action3d', capsys, src) == (
        f'{file}: line 41: expected 4 numbers, got 3')
    # The same file twice, below two folders.
    (src / 'b').mkdir()
    write_msr(src / 'b', 'a01_s01_e01', joints(2))
    assert 'expected one file a01_s01_e01_skeleton3D.txt' in refuse(
        'msr_action3d', capsys, src)


# UTKinect-Action3D


def write_utkinect(src, recording, numbers, keypoint):
    (src / 'joints').mkdir(exist_ok=True)
    np.savetxt(src / 'joints' / f'joints_{recording}.txt',
               np.column_stack([numbers, keypoint.reshape(len(numbers), -1)]),
               '%g')


@pytest.fixture
def utkinect(src):
    numbers = [100, 102, 104, 104, 106, 108, 110, 112]
    write_utkinect(src, 's01_e01', numbers, joints(8))
    write_utkinect(src, 's10_e02', numbers, joints(8, seed=1))
    (src / 'actionLabel.txt').write_text(
        's01_e01\nwalk: 102 106 \nclapHands: 108 111\n\n'
        's10_e02\ncarry: NaN NaN\nthrow: 100 103\n')
    return src


def test_utkinect(utkinect, capsys):
    lines, data = convert('utkinect', capsys, utkinect)
    check_config('utkinect', data)
    names = ['s01_e01_walk', 's01_e01_clapHands', 's10_e02_throw']
    assert [(x['frame_dir'], x['label']) for x in data['annotations']] == list(
        zip(names, (0, 9, 5)))
    for clip, frames in zip(data['annotations'], ([1, 2, 4], [5, 6])):
        np.testing.assert_array_equal(clip['keypoint'][0],
                                      joints(8)[frames].astype(np.float32))
    assert data['split'] == dict(
        train=names[:2], val=names[2:],
        s01_e01_train=names[2:], s01_e01_val=names[:2],
        s10_e02_train=names[:2], s10_e02_val=names[2:])
    assert lines[2:6] == [
        '1 skipped', '  1: NaN in actionLabel.txt (s10_e02_carry)',
        '1 changed',
        '  1: frames that are there twice are kept once (s01_e01_walk)']


def test_labels_of_utkinect_beside_the_joints(utkinect, capsys):
    """The folder is searched to any depth, as of the other sets."""
    table = utkinect / 'actionLabel.txt'
    table.rename(utkinect / 'joints' / table.name)
    lines, _ = convert('utkinect', capsys, utkinect)
    assert lines[0].startswith('3 clips, ')
    (utkinect / 'joints' / table.name).unlink()
    assert refuse('utkinect', capsys, utkinect) == (
        f'{utkinect}: no file actionLabel.txt')


@pytest.mark.parametrize('old, new, message', [
    ('walk: 102', 'run: 102', 'line 2: expected one of walk, sitDown, '),
    ('walk: 102', 'walk 102', "line 2: expected a recording such as s01_e01, "
     "or an action and its frames below it, got 'walk 102 106 '"),
    ('s01_e01\n', '', 'line 1: expected a recording such as s01_e01')])
def test_malformed_labels_of_utkinect(utkinect, capsys, old, new, message):
    file = utkinect / 'actionLabel.txt'
    file.write_text(file.read_text().replace(old, new, 1))
    assert refuse('utkinect', capsys,
                  utkinect).startswith(f'{file}: {message}')


def test_the_commands_of_the_page(tmp_path, monkeypatch):
    """As they are typed, on folders of a clip or two each."""
    monkeypatch.chdir(tmp_path)
    folders = {
        name: tmp_path / folder for name, folder in dict(
            nw_ucla='all_sqe', utd_mhad='Skeleton',
            msrc12='MicrosoftGestureDataset-RC/data', sbu='sbu_clean',
            msr_action3d='MSRAction3DSkeletonReal3D',
            utkinect='UTKinect').items()}
    for folder in folders.values():
        folder.mkdir(parents=True)
    write_nw_ucla(folders['nw_ucla'], 'a01_s01_e00_v01', joints(5))
    savemat(folders['utd_mhad'] / 'a1_s1_t1_skeleton.mat',
            dict(d_skel=joints(5).transpose(1, 2, 0)))
    write_msrc12(folders['msrc12'], 'P1_1_1_p06', joints(90), [45], 1)
    write_sbu(folders['sbu'], 's01s02', '01', '001', joints(3, 30))
    write_msr(folders['msr_action3d'], 'a01_s01_e01', joints(2))
    write_utkinect(folders['utkinect'], 's01_e01', [1, 2], joints(2))
    (folders['utkinect'] / 'actionLabel.txt').write_text('s01_e01\nwalk: 1 2')
    page = REPO / 'tools' / 'data' / 'README.md'
    commands = [line.split() for block in page_blocks(page, 'shell')
                for line in block.splitlines()]
    for name in folders:
        command, = (x for x in commands if x[1] == f'tools/data/{name}.py')
        run_command([*command, '--workers', '1'], monkeypatch)
        # Where the config of the set looks for it.
        cfg = Config.fromfile(DATASETS / f'{name}.py')
        assert cfg.ann_file == command[-1]
        assert len(load_annotations(cfg.ann_file)['annotations']) == 1


def test_missing_parts_of_utkinect(utkinect, capsys):
    labels = utkinect / 'actionLabel.txt'
    labels.write_text(labels.read_text().replace('102 106', '2 6'))
    file = utkinect / 'joints' / 'joints_s01_e01.txt'
    assert refuse('utkinect', capsys,
                  utkinect) == f'{file}: no frame from 2 to 6'
    file.unlink()
    assert refuse('utkinect', capsys, utkinect) == (
        f'{utkinect}: no joints_s01_e01.txt')
    _, data = convert('utkinect', capsys, utkinect, '--on-error', 'skip')
    assert [x['frame_dir'] for x in data['annotations']] == ['s10_e02_throw']
    labels.unlink()
    assert refuse('utkinect', capsys, utkinect) == (
        f'{utkinect}: no file actionLabel.txt')
