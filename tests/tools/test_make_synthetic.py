import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tools_loading import load_script
from tools_loading import refusal as fail

SCRIPT = Path(__file__).parents[2] / 'tools' / 'data' / 'make_synthetic.py'


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


@pytest.fixture(scope='module')
def dataset(tool):
    return tool.make_dataset()


def moves(tool, name, progress, style):
    action = next(a for a in tool.ACTIONS if a.name == name)
    (angles, way), *_ = tool.perform(action, progress, style)
    return tool.forward_kinematics(angles), way


# The set


def test_annotations(tool, dataset):
    annotations = dataset['annotations']
    assert len(dataset['classes']) == len(set(dataset['classes'])) >= 12
    assert len(annotations) == 16 * 4 * len(dataset['classes'])
    for anno in annotations:
        keypoint = anno['keypoint']
        pair = tool.ACTIONS[anno['label']].partner is not None
        assert keypoint.dtype == np.float32
        assert keypoint.shape == (1 + pair, anno['total_frames'], 25, 3)
        assert 32 <= anno['total_frames'] <= 120
        assert np.isfinite(keypoint).all()
        # In front of the sensor and found by it in the first frame.
        assert (keypoint[:, 0, :, 2] > 1).all()
    assert {len(anno['keypoint']) for anno in annotations} == {1, 2}


def test_frames_are_dropped(dataset):
    lost = [(anno['keypoint'] == 0).all((2, 3)).any()
            for anno in dataset['annotations']]
    assert .1 < np.mean(lost) < .6


@pytest.mark.parametrize('num_subjects', [2, 3, 9])
def test_split_is_subject_wise(tool, num_subjects):
    dataset = tool.make_dataset(num_subjects=num_subjects, repeats=1)
    split = dataset['split']
    names = [anno['frame_dir'] for anno in dataset['annotations']]
    assert sorted(split['train'] + split['val']) == sorted(set(names))
    assert len(names) == len(set(names))
    people = [{name[:4] for name in split[part]} for part in ('train', 'val')]
    assert not people[0] & people[1]
    assert len(people[0] | people[1]) == num_subjects
    label = {a['frame_dir']: a['label'] for a in dataset['annotations']}
    for part in split.values():
        assert {label[name] for name in part} == set(range(len(tool.ACTIONS)))


def test_clip_does_not_depend_on_the_size_of_the_set(tool):
    small = tool.make_dataset(seed=3, num_subjects=2, repeats=1)
    large = tool.make_dataset(seed=3, num_subjects=4, repeats=2)
    large = {a['frame_dir']: a for a in large['annotations']}
    for anno in small['annotations']:
        other = large[anno['frame_dir']]
        assert anno['label'] == other['label']
        np.testing.assert_array_equal(anno['keypoint'], other['keypoint'])


def test_no_clip_is_there_twice(dataset):
    clips = {anno['keypoint'].tobytes() for anno in dataset['annotations']}
    assert len(clips) == len(dataset['annotations'])


def raw_feature(keypoint):
    """Centred on body 0's spine, 64 frames, two bodies, unit length."""
    keypoint = keypoint - keypoint[:1, :, 1:2]
    at = np.linspace(0, keypoint.shape[1] - 1, 64)
    low = at.astype(int)
    part = (at - low)[:, None, None]
    high = np.minimum(low + 1, keypoint.shape[1] - 1)
    feature = np.zeros((2, 64, 25, 3))
    feature[:len(keypoint)] = (
        keypoint[:, low] * (1 - part) + keypoint[:, high] * part)
    return feature.ravel() / np.linalg.norm(feature)


def test_raw_nearest_neighbour_is_above_chance_but_not_enough(dataset):
    annos = {anno['frame_dir']: anno for anno in dataset['annotations']}
    (train, train_label), (val, val_label) = (
        (np.stack([raw_feature(annos[name]['keypoint']) for name in names]),
         np.array([annos[name]['label'] for name in names]))
        for names in (dataset['split']['train'], dataset['split']['val']))
    top1 = np.mean(train_label[(val @ train.T).argmax(1)] == val_label)
    assert 3 / len(dataset['classes']) < top1 < .85


# The body and its motions


def test_rotation(tool):
    turns = tool.rotation(np.array([[90, 0, 0], [0, 90, 0], [0, 0, 90.]]))
    x, y, z = np.eye(3)
    np.testing.assert_allclose(turns[0] @ y, z, atol=1e-12)
    np.testing.assert_allclose(turns[1] @ z, x, atol=1e-12)
    np.testing.assert_allclose(turns[2] @ x, y, atol=1e-12)
    both = tool.rotation(np.array([30, 20, 50.]))
    parts = [tool.rotation(np.diag([30, 20, 50.])[i]) for i in range(3)]
    np.testing.assert_allclose(both, parts[2] @ parts[0] @ parts[1])


def test_tree_is_that_of_nturgb_d(tool):
    # Pairs of MMAction2's Graph, with its joint 20 as the centre.
    edges = [(0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (5, 4), (6, 5), (7, 6),
             (8, 20), (9, 8), (10, 9), (11, 10), (12, 0), (13, 12), (14, 13),
             (15, 14), (16, 0), (17, 16), (18, 17), (19, 18), (21, 22),
             (22, 7), (23, 24), (24, 11)]
    assert {frozenset(b) for b in tool.BONES} == {frozenset(e) for e in edges}


def test_bones_keep_their_length(tool):
    progress = np.linspace(0, 1, 50)
    for action in tool.ACTIONS:
        for angles, _ in tool.perform(action, progress, tool.Style()):
            joints = tool.forward_kinematics(angles)
            for joint, parent in tool.BONES:
                bone = np.linalg.norm(joints[:, joint] - joints[:, parent],
                                      axis=1)
                assert np.ptp(bone) < 1e-6 and bone[0] > .03


def test_every_action_moves(tool):
    progress = np.linspace(0, 1, 50)
    for action in tool.ACTIONS:
        for angles, way in tool.perform(action, progress, tool.Style()):
            joints = tool.forward_kinematics(angles)
            assert max(np.ptp(joints, axis=0).max(), np.ptp(way)) > .2


@pytest.mark.parametrize('left, right', [
    ('wave left hand', 'wave right hand'),
    ('kick with left foot', 'kick with right foot')])
def test_mirrored_pairs(tool, left, right):
    progress = np.linspace(0, 1, 40)
    style = tool.Style(amp=.9, cycles=2.5, phase=1.)
    joints, way = moves(tool, left, progress, style)
    mirrored, mirrored_way = moves(tool, right, progress, style)
    np.testing.assert_allclose(
        mirrored, joints[:, tool.SWAP] * (-1, 1, 1), atol=1e-9)
    np.testing.assert_array_equal(mirrored_way, way)
    assert np.abs(mirrored - joints).max() > .2


@pytest.mark.parametrize('name, other', [
    ('sit down', 'stand up'), ('pick up', 'put down'),
    ('put on a hat', 'take off a hat'),
    ('step towards each other', 'step away from each other')])
def test_reversed_pairs(tool, name, other):
    progress = np.linspace(0, 1, 40)
    style = tool.Style(amp=.9, cycles=2.5, phase=1.)
    joints, way = moves(tool, name, progress, style)
    back, back_way = moves(tool, other, progress, style)
    np.testing.assert_allclose(back, joints[::-1], atol=1e-9)
    np.testing.assert_allclose(back_way, way[::-1], atol=1e-9)
    assert max(np.abs(back - joints).max(), np.abs(back_way - way).max()) > .2


# The command


def test_same_seed_same_bytes(tool, tmp_path, capsys):
    small = ['--subjects', '2', '--repeats', '1']
    for name, seed in (('a', 5), ('b', 6)):
        out = tmp_path / 'new' / 'folder' / f'{name}.pkl'
        tool.main([str(out), '--seed', str(seed), *small])
    last = capsys.readouterr().out.splitlines()[-2:]
    assert last[0].startswith('28 clips (14 train, 14 val), 14 classes')
    assert last[1] == f'written to {out}'
    assert [p.name for p in sorted(out.parent.iterdir())] == ['a.pkl', 'b.pkl']

    again = tmp_path / 'again.pkl'  # another process
    subprocess.run(
        [sys.executable, SCRIPT, again, '--seed', '5', *small], check=True)
    first = out.with_name('a.pkl').read_bytes()
    assert again.read_bytes() == first != out.read_bytes()
    data = pickle.loads(first)
    assert set(data) == {'split', 'annotations', 'classes', 'skeleton'}
    assert data['skeleton'] == 'nturgb+d'


def test_help_shows_an_example():
    done = subprocess.run(
        [sys.executable, SCRIPT, '--help'], capture_output=True, text=True)
    assert done.returncode == 0
    assert 'example: python tools/data/make_synthetic.py' in ' '.join(
        done.stdout.split())


@pytest.mark.parametrize('argv, line', [
    (['a.pkl', '--subjects', '1'],
     'argument --subjects: must be at least 2, got 1'),
    (['a.pkl', '--repeats', '0'],
     'argument --repeats: must be at least 1, got 0'),
    (['a.pkl', '--seed', '-1'], 'argument --seed: must be at least 0, got -1'),
    (['a.txt'], 'OUT must be a .pkl or .npz file, got a.txt'),
    (['a.pkl', '--subject', '3'], 'unrecognized arguments: --subject 3')])
def test_wrong_values(tool, capsys, monkeypatch, tmp_path, argv, line):
    monkeypatch.chdir(tmp_path)
    assert line in fail(tool, capsys, *argv)
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_made(tool, capsys, tmp_path):
    (tmp_path / 'file').touch()
    line = fail(tool, capsys, tmp_path / 'file' / 'a.pkl', '--subjects', 2,
                '--repeats', 1)
    path = tmp_path / 'file' / 'a.pkl'
    assert line.endswith(f'error: cannot write {path}: File exists')


def test_interrupted_making_leaves_the_old_file(tool, tmp_path, capsys,
                                                monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    out = tmp_path / 'a.pkl'
    out.write_bytes(b'old')
    monkeypatch.setattr(tool, 'make_clip', interrupt)
    with pytest.raises(SystemExit) as info:
        tool.main([str(out)])
    assert info.value.code == 130
    assert f'interrupted, {out} is as it was' in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [out] and out.read_bytes() == b'old'


def test_wrong_values_of_the_function(tool):
    with pytest.raises(ValueError, match='num_subjects >= 2'):
        tool.make_dataset(num_subjects=1)
