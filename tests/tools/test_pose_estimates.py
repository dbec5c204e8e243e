"""Files of pose estimators, in the formats that these write."""
import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import REPO
from mmaction.registry import TRANSFORMS
from tools_loading import convert as run
from tools_loading import load_script, page_blocks, run_command
from tools_loading import refusal as fail

from umurl_mmaction.fileio.annotations import load_annotations
from umurl_mmaction.skeleton import LAYOUTS

SCRIPT = REPO / 'tools' / 'data' / 'pose_estimates.py'


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


def body(num_frames, num_joints=17, coords=2, x=100, seed=0):
    """A body about ``x`` in pixels, and its scores: (T, V, C), (T, V)."""
    rng = np.random.default_rng(seed)
    pose = rng.uniform(20, 80, (num_joints, coords))
    pose[:, 0] += x
    keypoint = pose + np.arange(num_frames)[:, None, None] * .5
    return keypoint.round(3), rng.uniform(
        .4, 1, (num_frames, num_joints)).round(3)


def instances(*bodies, t):
    """As MMPose's ``split_instances`` makes them, with its nested box."""
    return [
        dict(
            keypoints=keypoint[t].tolist(),
            keypoint_scores=score[t].tolist(),
            bbox=[[0., 0., 9., 9.]],
            bbox_score=.9) for keypoint, score in bodies
    ]


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def write_video(path, *bodies, first=0):
    """What an inferencer of MMPose writes of a video."""
    write(path, [
        dict(frame_id=t + first, instances=instances(*bodies, t=t))
        for t in range(len(bodies[0][0]))])


def write_openpose(folder, video, *bodies):
    folder.mkdir(parents=True, exist_ok=True)
    for t in range(len(bodies[0][0])):
        people = [
            dict(
                person_id=[-1],
                pose_keypoints_2d=np.column_stack([keypoint[t],
                                                   score[t]]).ravel().tolist(),
                face_keypoints_2d=[], hand_left_keypoints_2d=[])
            for keypoint, score in bodies]
        write(folder / f'{video}_{t:012d}_keypoints.json',
              dict(version=1.3, people=people))


@pytest.fixture
def src(tmp_path):
    return tmp_path / 'src'


def convert(tool, capsys, source, src, *argv):
    return run(tool, capsys, source, src, *argv, out=src.parent / 'a.pkl')


def refuse(tool, capsys, source, src, *argv):
    """The line of a refusal; nothing is written."""
    out = src.parent / 'b.pkl'
    line = fail(tool, capsys, source, src, '--out', out, '--workers', 1,
                *argv)
    assert not out.exists()
    return line.partition('error: ')[2]


PIXELS = ('--img-shape', 720, 1280)


def test_the_commands_of_the_page(tmp_path, monkeypatch):
    """As they are typed, on folders of a clip each."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / 'predictions' / 'train' / 'x' / 'a.json', body(4))
    write_openpose(tmp_path / 'output_json' / 'train' / 'x', 'a', body(4, 25))
    write_alphapose(
        tmp_path / 'results' / 'train' / 'x' / 'a' / 'alphapose-results.json',
        body(4))
    write(tmp_path / 'landmarks' / 'train' / 'x' / 'a.json',
          landmarks(4)[..., :3].tolist())
    (tmp_path / 'takes' / 'train' / 'x').mkdir(parents=True)
    (tmp_path / 'takes' / 'train' / 'x' / 'a.bvh').write_text(BVH)
    page = REPO / 'tools' / 'data' / 'own_skeletons.md'
    commands = [line.split() for block in page_blocks(page, 'shell')
                for line in block.splitlines()
                if line.startswith('python tools/data/pose_estimates.py')]
    assert [command[2] for command in commands] == [
        'mmpose', 'openpose', 'alphapose', 'mediapipe', 'bvh']
    for command in commands:
        if command[2] == 'bvh' and find_spec('pybvh') is None:
            continue  # test_bvh says so
        run_command(command, monkeypatch)
        data = load_annotations(command[-1])
        clip, = data['annotations']
        assert clip['frame_dir'] == 'train/x/a' and data['classes'] == ['x']


# MMPose


def test_video_of_mmpose(tool, src, capsys):
    a, b = body(6), body(6, x=500, seed=1)
    write_video(src / 'train' / 'wave' / 'one.json', a, b)
    write_video(src / 'val' / 'sit down' / 'two.json', a)
    lines, data = convert(tool, capsys, 'mmpose', src, *PIXELS)
    assert data['skeleton'] == 'coco'
    assert data['classes'] == ['sit down', 'wave']
    assert data['split'] == dict(train=['train/wave/one'],
                                 val=['val/sit down/two'])
    one = data['annotations'][0]
    assert (one['label'], one['total_frames'], one['img_shape']) == (
        1, 6, (720, 1280))
    # The larger body comes first; the second is the other.
    by_x = sorted(zip(one['keypoint'], one['keypoint_score']),
                  key=lambda pair: pair[0][0, 0, 0])
    for got, (keypoint, score) in zip(by_x, (a, b)):
        np.testing.assert_array_equal(got[0], keypoint.astype(np.float32))
        np.testing.assert_array_equal(got[1], score.astype(np.float32))
    assert one['keypoint'].dtype == one['keypoint_score'].dtype == np.float32
    assert lines[0] == '2 clips, 2 classes, 12 frames, 3 bodies'


def test_frames_without_a_person_are_empty(tool, src, capsys):
    """MMPose then makes a body of the whole picture."""
    keypoint, score = body(6)
    write_video(src / 'train' / 'a.json', (keypoint, score))
    path = src / 'train' / 'a.json'
    frames = json.loads(path.read_text())
    for t in (2, 3):
        frames[t]['instances'][0].update(
            bbox=[[0., 0., 1280., 720.]], bbox_score=1.)
    path.write_text(json.dumps(frames))
    lines, data = convert(tool, capsys, 'mmpose', src, *PIXELS)
    want = keypoint.astype(np.float32)
    want[2:4] = 0
    clip, = data['annotations']
    np.testing.assert_array_equal(clip['keypoint'], want[None])
    assert lines[3:5] == [
        '1 changed',
        '  1: frames without a detected person are left empty (train/a)']
    # Without a detector each box is the picture.
    for frame in frames:
        frame['instances'][0].update(
            bbox=[[0., 0., 1280., 720.]], bbox_score=1.)
    path.write_text(json.dumps(frames))
    _, data = convert(tool, capsys, 'mmpose', src, *PIXELS)
    np.testing.assert_array_equal(data['annotations'][0]['keypoint'][0],
                                  keypoint.astype(np.float32))


def test_files_of_demos_and_the_order_of_instances(tool, src, capsys):
    """A dict that names the data set; frames from 1; people in any order."""
    a, b = body(6, 26), body(6, 26, x=500, seed=1)
    frames = [
        dict(frame_id=t + 1, instances=instances(*([a, b][::1 - 2 * (t % 2)]),
                                                 t=t)) for t in range(6)]
    write(src / 'train' / 'x' / 'a.json',
          dict(meta_info=dict(dataset_name='halpe26'), instance_info=frames))
    _, data = convert(tool, capsys, 'mmpose', src, *PIXELS)
    assert data['skeleton'] == 'halpe26'
    keypoint = data['annotations'][0]['keypoint']
    assert keypoint.shape == (2, 6, 26, 2)
    for got in keypoint:
        want = a[0] if got[0, 0, 0] < 300 else b[0]
        np.testing.assert_array_equal(got, want.astype(np.float32))


def test_pictures_of_mmpose(tool, src, capsys):
    """A folder is a clip, and frame 10 comes after frame 9."""
    keypoint, score = body(12)
    for t in range(12):
        write(src / 'train' / 'x' / 'clip' / f'frame{t}.json',
              [] if t == 3 else instances((keypoint, score), t=t))
    _, data = convert(tool, capsys, 'mmpose', src, '--images', *PIXELS)
    clip, = data['annotations']
    assert clip['frame_dir'] == 'train/x/clip'
    want = keypoint.astype(np.float32)
    want[3] = 0
    np.testing.assert_array_equal(clip['keypoint'][0], want)
    assert '--images' in refuse(tool, capsys, 'mmpose', src, *PIXELS)


def test_whole_body_is_cut_to_body_and_feet(tool, src, capsys):
    a = body(4, 133)
    write_video(src / 'train' / 'a.json', a)
    _, data = convert(tool, capsys, 'mmpose', src, *PIXELS)
    assert data['skeleton'] == 'coco-wholebody'
    np.testing.assert_array_equal(
        data['annotations'][0]['keypoint'][0], a[0][:, :23].astype(np.float32))
    assert 'label' not in data['annotations'][0]


def test_lifted_poses_are_not_mirrored(tool, src, capsys):
    """MMPose turns (right, down, forward) into (left, forward, up)."""
    camera, score = body(5, 17, 3)
    right, down, forward = np.moveaxis(camera, -1, 0)
    write_video(src / 'train' / 'a.json',
                (np.stack([-right, forward, -down], axis=-1), score))
    _, data = convert(tool, capsys, 'mmpose', src)
    clip, = data['annotations']
    assert data['skeleton'] == 'h36m'
    assert 'keypoint_score' not in clip and 'img_shape' not in clip
    # A rotation takes it to the camera's axes: it has no reflection.
    turn = np.linalg.lstsq(
        clip['keypoint'][0].reshape(-1, 3), camera.reshape(-1, 3),
        rcond=None)[0]
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize('min_score, num_missing', [(0, 1), (.5, 2)])
def test_missing_joints_are_missing_to_the_model(
        tool, src, capsys, min_score, num_missing):
    keypoint, score = body(3)
    score[:] = .9
    score[1, 4] = 0
    score[2, 5] = .45
    write_video(src / 'train' / 'a.json', (keypoint, score))
    _, data = convert(tool, capsys, 'mmpose', src, *PIXELS, '--min-score',
                      min_score)
    clip, = data['annotations']
    missing = np.zeros((1, 3, 17), bool)
    missing[0, 1, 4] = True
    missing[0, 2, 5] = num_missing == 2
    np.testing.assert_array_equal(clip['keypoint_score'] == 0, missing)
    np.testing.assert_array_equal((clip['keypoint'] == 0).all(-1), missing)
    prepared = TRANSFORMS.build(
        dict(type='SkeletonPreNormalize2D')).transform(dict(clip))
    np.testing.assert_array_equal((prepared['keypoint'] == 0).all(-1), missing)


def test_other_bodies_are_counted_and_named(tool, src, capsys):
    crowd = [body(4, x=300 * i, seed=i) for i in range(4)]
    write_video(src / 'train' / 'a.json', *crowd)
    write_video(src / 'train' / 'b.json', *crowd[:3])
    lines, data = convert(tool, capsys, 'mmpose', src, *PIXELS)
    assert [len(x['keypoint']) for x in data['annotations']] == [2, 2]
    assert lines[2:6] == [
        '0 skipped', '2 changed',
        '  1: 2 more bodies left out (train/a)',
        '  1: 1 more body left out (train/b)']
    lines, data = convert(tool, capsys, 'mmpose', src, *PIXELS,
                          '--num-person', 4)
    assert [len(x['keypoint']) for x in data['annotations']] == [4, 3]
    assert lines[2] == '0 skipped' and lines[3].startswith('written')


def test_table(tool, src, capsys):
    for name in ('a', 'b', 'new'):
        write_video(src / f'{name}.json', body(3))
    (src / 'labels.csv').write_text('name,label,split\na,3,train\nb,5,val\n')
    lines, data = convert(tool, capsys, 'mmpose', src, *PIXELS)
    assert [x['label'] for x in data['annotations']] == [3, 5]
    assert lines[2:4] == ['1 skipped', '  1: not in labels.csv (new)']
    (src / 'labels.csv').write_text('name,label,split\na,3,train\nd,5,val\n')
    line = refuse(tool, capsys, 'mmpose', src, *PIXELS)
    assert line == f'{src}/labels.csv: line 3: no file of d in {src}'
    lines, data = convert(tool, capsys, 'mmpose', src, *PIXELS, '--on-error',
                          'skip')
    assert len(data['annotations']) == 1 and lines[2] == '3 skipped'


@pytest.mark.parametrize('source, suffixes', [
    ('mmpose', ('.JSON', '.json')), ('alphapose', ('.JSON', '.json')),
    ('mediapipe', ('.csv', '.npy')), ('bvh', ('.BVH', '.bvh'))])
def test_two_files_of_a_clip(tool, src, capsys, source, suffixes):
    """Neither is left out without a word."""
    if source == 'bvh':
        pytest.importorskip('pybvh', reason='pybvh is not installed')
    for suffix in suffixes:
        write(src / 'train' / f'a{suffix}', [])
    assert refuse(tool, capsys, source, src) == (
        f'{src}/train/a{suffixes[0]}: expected one file of that clip, got '
        f'a{suffixes[0]}, a{suffixes[1]}')


def test_a_skeleton_among_pictures_is_none(tool, src, capsys):
    for t in range(2):
        write(src / 'train' / f'{t}.json', instances(body(2), t=t))
    skeleton = src / 'train' / 'skeleton.json'
    write(skeleton, LAYOUTS['coco'].to_dict())
    (src / 'labels.csv').write_text('name,split\ntrain,train\n')
    _, data = convert(tool, capsys, 'mmpose', src, *PIXELS, '--images',
                      '--skeleton', skeleton)
    clip, = data['annotations']
    assert clip['total_frames'] == 2


def test_pictures_of_several_sizes(tool, src, capsys):
    for name in ('a', 'b'):
        write_video(src / f'{name}.json', body(3))
    table = src / 'labels.csv'
    table.write_text('name,split,height,width\na,train,720,1280\n'
                     'b,train,480,640\n')
    for argv in ((), PIXELS):
        _, data = convert(tool, capsys, 'mmpose', src, *argv)
        assert [x['img_shape'] for x in data['annotations']] == [
            (720, 1280), (480, 640)]
    table.write_text('name,split,height,width\na,train,720,wide\n')
    assert refuse(tool, capsys, 'mmpose', src) == (
        f"{table}: line 2: expected height and width in pixels, got '720' and "
        "'wide'")
    table.write_text('name,split,height\na,train,720\n')
    assert refuse(tool, capsys, 'mmpose', src) == (
        f'{table}: line 1: expected the columns name, split and, if there are '
        'classes, label; maybe height and width, got name, split, height')


def edit(path, change):
    data = json.loads(path.read_text())
    path.write_text(json.dumps(change(data) or data))


@pytest.mark.parametrize('change, message', [
    (lambda x: x.pop(1) and None, 'expected frame_id 1 after 0, got 2'),
    (lambda x: x[2].update(frame_id='2'), "expected an integer as frame_id, "
     "got '2'"),
    (lambda x: x[1]['instances'][0].pop('keypoint_scores') and None,
     'frame 1: instance 0: expected a dict with keypoints and '
     'keypoint_scores'),
    (lambda x: x[1]['instances'][0]['keypoints'].pop() and None,
     'frame 1: instance 0: expected keypoints (V, 2) or (V, 3) and scores '
     '(V, ), got (16, 2) and (17,)'),
    (lambda x: x[1]['instances'][0]['keypoints'][0].append(1.),
     'frame 1: instance 0: item [1]: expected shape (3,) as of those before, '
     'got (2,)'),
    (lambda x: x[1].update(instances=instances(body(3, 18), t=0)),
     'expected the same joints in all frames, got (17, 3) and (18, 3)'),
    (lambda x: dict(meta_info=dict(dataset_name='ap10k'), instance_info=x),
     "17 keypoints of 'ap10k' in 2 coordinates are of no known layout: "
     '--skeleton must say what they are'),
    (lambda x: dict(meta_info=dict(dataset_name=[]), instance_info=x),
     "17 keypoints of '[]' in 2 coordinates are of no known layout"),
    (lambda x: dict(wrong=1), "expected MMPose's predictions, a list of "
     'frames or of instances, got dict')])
def test_malformed_predictions(tool, src, capsys, change, message):
    good, bad = src / 'train' / 'a.json', src / 'train' / 'b.json'
    write_video(good, body(4))
    write_video(bad, body(4))
    edit(bad, change)
    line = refuse(tool, capsys, 'mmpose', src, *PIXELS)
    assert line.startswith(f'{bad}: {message}')
    lines, data = convert(tool, capsys, 'mmpose', src, *PIXELS, '--on-error',
                          'skip')
    assert [x['frame_dir'] for x in data['annotations']] == ['train/a']
    assert lines[3].startswith(f'  1: {bad}: {message}')


def test_what_cannot_be_known_is_asked_for(tool, src, capsys):
    line = refuse(tool, capsys, 'mmpose', src, *PIXELS)
    assert line == f'{src} is no folder'
    src.mkdir()
    line = refuse(tool, capsys, 'mmpose', src, *PIXELS)
    assert line == f'{src}: no files of mmpose (.json)'
    write_video(src / 'a.json', body(4))
    assert 'SPLIT/CLASS/CLIP' in refuse(tool, capsys, 'mmpose', src, *PIXELS)
    (src / 'train').mkdir()
    (src / 'a.json').rename(src / 'train' / 'a.json')
    assert refuse(tool, capsys, 'mmpose', src) == (
        f'{src}/train/a.json: keypoints in pixels need --img-shape HEIGHT '
        'WIDTH, the size of the pictures, or columns height and width in the '
        'table')
    write_video(src / 'train' / 'b.json', body(4, 26))
    assert refuse(tool, capsys, 'mmpose', src, *PIXELS) == (
        f"{src}/train/b.json: expected the skeleton of train/a, 'coco' with "
        "(V, C) = (17, 2), got 'halpe26' with (V, C) = (26, 2)")
    (src / 'train' / 'b.json').unlink()
    assert 'wants 33 joints' in refuse(
        tool, capsys, 'mmpose', src, *PIXELS, '--skeleton', 'mediapipe')
    for argv, what in ((['--num-person', 0], '--num-person: must be at least '
                        '1'), (['--scale', 0], '--scale must be above 0'),
                       (['--img-shape', 0, 5],
                        '--img-shape: must be at least 1, got 0')):
        assert what in refuse(tool, capsys, 'mmpose', src, *argv)


def test_skeleton_of_ones_own(tool, src, capsys):
    """Beside the clips, and no clip itself."""
    write_video(src / 'train' / 'a.json', body(4, 3))
    assert '3 keypoints in 2 coordinates are of no known layout' in refuse(
        tool, capsys, 'mmpose', src, *PIXELS)
    write(src / 'mine.json', dict(joints=['a', 'b', 'c'], parents=[-1, 0, 1]))
    _, data = convert(tool, capsys, 'mmpose', src, *PIXELS, '--skeleton',
                      src / 'mine.json')
    assert data['skeleton']['joints'] == ['a', 'b', 'c']
    assert len(data['annotations']) == 1


def test_same_bytes_whatever_the_workers(tool, src, tmp_path, capsys):
    for name in ('a', 'b', 'c'):
        write_video(src / 'train' / f'{name}.json', body(4), body(4, x=400))
    argv = ['mmpose', src, *PIXELS, '--workers']
    files = []
    for workers in (1, 2):
        files.append(tmp_path / f'{workers}.pkl')
        tool.main([*map(str, argv), str(workers), '--out', str(files[-1])])
    assert '3/3' not in capsys.readouterr().out  # bars are for terminals
    assert files[0].read_bytes() == files[1].read_bytes()


# OpenPose


@pytest.mark.parametrize('num_joints, layout', [(18, 'openpose'),
                                                (25, 'body_25')])
def test_openpose(tool, src, capsys, num_joints, layout):
    """Of a folder for all videos, and one for each."""
    a, b = body(5, num_joints), body(5, num_joints, x=600, seed=1)
    a[0][2, 7] = a[1][2, 7] = 0  # OpenPose's own missing joint
    write_openpose(src / 'train' / 'x', 'vid_1', a, b)
    write_openpose(src / 'train' / 'x', 'vid_2', b)
    write_openpose(src / 'val' / 'y' / 'vid_3', 'vid_3', a)
    write(src / 'val' / 'y' / 'vid_3' / f'vid_3_{5:012d}_keypoints.json',
          dict(version=1.3, people=[]))
    _, data = convert(tool, capsys, 'openpose', src, *PIXELS)
    assert data['skeleton'] == layout
    assert [x['frame_dir'] for x in data['annotations']] == [
        'train/x/vid_1', 'train/x/vid_2', 'val/y/vid_3']
    clip = data['annotations'][-1]
    assert clip['keypoint'].shape == (1, 6, num_joints, 2)
    np.testing.assert_array_equal(clip['keypoint'][0, :5],
                                  a[0].astype(np.float32))
    assert not clip['keypoint'][0, 5].any()
    assert not clip['keypoint_score'][0, 2, 7]


def write_alphapose(path, *bodies, names='{}.jpg', without=()):
    """What AlphaPose writes of a video."""
    write(path, [
        dict(
            image_id=names.format(t),
            category_id=1,
            keypoints=np.column_stack([keypoint[t],
                                       score[t]]).ravel().tolist(),
            score=2.9,
            box=[0., 0., 9., 9.],
            idx=[0.])
        for t in range(len(bodies[0][0])) if t not in without
        for keypoint, score in bodies])


@pytest.mark.parametrize('num_joints, layout, kept', [
    (17, 'coco', 17), (26, 'halpe26', 26), (133, 'coco-wholebody', 23),
    (136, 'halpe26', 26)])
@pytest.mark.parametrize('file, name', [
    ('one/alphapose-results.json', 'train/x/one'), ('two.json',
                                                    'train/x/two')])
def test_alphapose(tool, src, capsys, num_joints, layout, kept, file, name):
    """A frame without anybody has no entry."""
    a = body(7, num_joints)
    b = body(7, num_joints, x=500, seed=1)
    write_alphapose(src / 'train' / 'x' / file, a, b, without=[0, 3],
                    names='cam2_{:05d}.jpg')
    _, data = convert(tool, capsys, 'alphapose', src, *PIXELS)
    clip, = data['annotations']
    assert (data['skeleton'], clip['frame_dir']) == (layout, name)
    for got, scores in zip(clip['keypoint'], clip['keypoint_score']):
        want, score = a if got[0, 0, 0] < 300 else b
        want = want[1:, :kept].astype(np.float32)
        score = score[1:, :kept].astype(np.float32)
        want[2] = score[2] = 0
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(scores, score)


@pytest.mark.parametrize('change, message', [
    (lambda x: dict(x=x), "expected AlphaPose's list of people, as it writes "
     'without --format, got dict'),
    (lambda x: x[1].pop('keypoints') and None, 'person 1: expected a dict '
     'with image_id and keypoints'),
    (lambda x: x[1]['keypoints'].pop() and None, 'person 1: expected '
     'keypoints to be x, y and confidence of each joint, got (50,)'),
    (lambda x: x[1].update(image_id='a.jpg'), 'person 1: expected a number '
     "in image_id, got 'a.jpg'"),
    (lambda x: x[3].update(image_id='99999999999.jpg'), 'expected the frames '
     'of a video, got 4 from 0 to 99999999999'),
    (lambda x: [y.update(keypoints=[1.] * 30) for y in x] and None,
     '10 keypoints are none of 17, 26, 133, 136: --skeleton must say')])
def test_malformed_alphapose(tool, src, capsys, change, message):
    path = src / 'train' / 'a.json'
    write_alphapose(path, body(4))
    edit(path, change)
    line = refuse(tool, capsys, 'alphapose', src, *PIXELS)
    assert line.startswith(f'{path}: {message}')


def test_malformed_openpose(tool, src, capsys):
    write_openpose(src / 'train', 'v', body(5, 25))
    frame = src / 'train' / f'v_{2:012d}_keypoints.json'
    text = frame.read_text()
    for change, message in [
        (lambda x: x.pop('people') and None,
         "expected OpenPose's dict with a list of people"),
        (lambda x: x['people'][0]['pose_keypoints_2d'].pop() and None,
         'person 0: expected pose_keypoints_2d to be x, y and confidence of '
         'each joint, got (74,)'),
        (lambda x: x['people'][0].pop('pose_keypoints_2d') and None,
         'person 0: expected a dict with pose_keypoints_2d'),
    ]:
        frame.write_text(text)
        edit(frame, change)
        line = refuse(tool, capsys, 'openpose', src, *PIXELS)
        assert line.startswith(f'{frame}: {message}')
    frame.write_text(text[:40])
    assert refuse(tool, capsys, 'openpose', src,
                  *PIXELS).startswith(f'{frame}: ')
    frame.unlink()
    assert refuse(tool, capsys, 'openpose', src, *PIXELS) == (
        f'{src}/train: expected frame 2 after 1, got 3')
    write_openpose(src / 'train', 'v', body(5, 15))
    assert '15 joints are neither the 25 nor the 18' in refuse(
        tool, capsys, 'openpose', src, *PIXELS)


# MediaPipe


def landmarks(num_frames, seed=0):
    return np.random.default_rng(seed).normal(size=(num_frames, 33, 5))


@pytest.mark.parametrize('columns', [3, 4, 5])
def test_arrays_of_world_landmarks(tool, src, capsys, columns):
    array = landmarks(6)
    array[..., 3:] = .9
    array[2, 5, 3] = 0
    array[3] = np.nan  # as a frame without anybody is often written
    (src / 'train').mkdir(parents=True)
    np.save(src / 'train' / 'a.npy', array[..., :columns])
    write(src / 'train' / 'b.json',
          np.nan_to_num(array[..., :columns]).tolist())
    _, data = convert(tool, capsys, 'mediapipe', src)
    want = np.nan_to_num(array[..., :3].astype(np.float32))
    if columns > 3:
        want[2, 5] = 0
    for clip in data['annotations']:
        np.testing.assert_array_equal(clip['keypoint'][0], want)
    skeleton = data['skeleton']
    assert skeleton['joints'] == list(LAYOUTS['mediapipe'].joints)
    # x grows to the right of the picture, where the left shoulder is.
    assert skeleton['shoulders'] == [12, 11]


def landmark(values):
    return dict(zip(('x', 'y', 'z', 'visibility', 'presence'),
                    map(float, values)))


@pytest.mark.parametrize('world, image', [
    ('pose_world_landmarks', 'pose_landmarks'),
    ('worldLandmarks', 'landmarks')])
def test_results_of_mediapipe(tool, src, capsys, world, image):
    """One of two people is away in one frame; either kind of landmark."""
    a, b = (.1 * np.abs(landmarks(5, i)) for i in range(2))
    a[..., 3], b[..., 3] = .9, .8
    b[..., 0] += .5

    def people(t):
        return [[landmark(joint) for joint in x[t]]
                for x in ((a, ) if t == 2 else (a, b))]

    write(src / 'train' / 'a.json',
          [{world: people(t), image: people(t)} for t in range(5)])
    _, data = convert(tool, capsys, 'mediapipe', src)
    assert data['annotations'][0]['keypoint'].shape == (2, 5, 33, 3)
    _, data = convert(tool, capsys, 'mediapipe', src, '--landmarks', 'image',
                      *PIXELS)
    assert data['skeleton'] == 'mediapipe'
    clip, = data['annotations']
    for keypoint, score in zip(clip['keypoint'], clip['keypoint_score']):
        want = a if score[0, 0] > .85 else b.copy()
        if want is not a:
            want[2] = 0
        np.testing.assert_allclose(
            keypoint, want[..., :2] * [1280, 720], rtol=1e-6)


# What programs around MediaPipe save of each frame.
ITEMS = dict(
    numbers=lambda x: x.tolist(),
    line=lambda x: x.ravel().tolist(),
    landmarks=lambda x: [landmark(joint) for joint in x],
    message=lambda x: dict(landmark=[landmark(joint) for joint in x]),
    messages=lambda x: [dict(landmark=[landmark(joint) for joint in x])],
    result=lambda x: dict(
        pose_world_landmarks=[landmark(joint) for joint in x]))


@pytest.mark.parametrize('kind', ITEMS)
@pytest.mark.parametrize('nobody', [None, []])
def test_frames_as_people_save_them(tool, src, capsys, kind, nobody):
    """Also where nobody was found, in the first frame and within."""
    array = landmarks(1).repeat(4, axis=0)
    array[..., 3] = .9
    items = [ITEMS[kind](pose) for pose in array]
    items[0] = items[2] = nobody
    write(src / 'train' / 'a.json', items)
    _, data = convert(tool, capsys, 'mediapipe', src)
    clip, = data['annotations']
    array[[0, 2]] = 0
    np.testing.assert_array_equal(
        clip['keypoint'][0], array[..., :3].astype(np.float32))


def test_a_line_a_frame(tool, src, capsys):
    (src / 'train').mkdir(parents=True)
    for columns in (3, 4, 5):
        array = landmarks(3)[..., :columns]
        array[..., 3:] = .9
        np.save(src / 'train' / f'{columns}.npy', array.reshape(3, -1))
        write(src / 'train' / f'{columns}-too.json',
              array.reshape(3, -1).tolist())
        np.savetxt(src / 'train' / f'{columns}-table.csv',
                   array.reshape(3, -1), delimiter=',', comments='',
                   header=','.join(f'v{i}' for i in range(33 * columns)))
    (src / 'labels.csv').write_text('name,split\n' + ''.join(
        f'train/{columns}{end},train\n' for columns in (3, 4, 5)
        for end in ('', '-too', '-table')))
    lines, data = convert(tool, capsys, 'mediapipe', src)
    assert len(data['annotations']) == 9 and lines[2] == '0 skipped'
    for clip in data['annotations']:
        np.testing.assert_array_equal(
            clip['keypoint'][0], landmarks(3)[..., :3].astype(np.float32))


@pytest.mark.parametrize('data, message', [
    (np.zeros((3, 17, 3)).tolist(), 'expected landmarks (T, 33, C), (T, 33 x '
     'C) or (M, T, 33, C), C from 3 to 5, got float64 (3, 17, 3)'),
    ([], 'expected a list with an item for each frame, got []'),
    (dict(a=1), "expected a list with an item for each frame, got {'a': 1}"),
    ([dict(pose_landmarks=[])], "frame 0: expected pose_world_landmarks or "
     "worldLandmarks, got 'pose_landmarks'"),
    ([dict(worldLandmarks=[[dict(x=1, y=2)]])],
     'frame 0: expected a landmark with x, y and z, got'),
    ([dict(worldLandmarks=[[dict(x=1, y=2, z=3)]])],
     'frame 0: expected 33 landmarks, got 1'),
    ([dict(worldLandmarks=3)], 'frame 0: expected people, each a list of '
     'landmarks, got 3')])
def test_malformed_landmarks(tool, src, capsys, data, message):
    path = src / 'train' / 'a.json'
    write(path, data)
    assert refuse(tool, capsys, 'mediapipe',
                  src).startswith(f'{path}: {message}')


# .bvh

BVH = '''HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT LeftArm
    {
      OFFSET 5 0 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 7 0 0
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.033333
0 90 0 0 0 0 0 0 0 0 0 0
1 90 2 90 0 0 0 0 0 0 0 0
'''


def test_bvh(tool, src, capsys):
    """By hand: a quarter of a turn about z takes +y to -x, and +x to +y."""
    pytest.importorskip('pybvh', reason='pybvh is not installed')
    (src / 'train').mkdir(parents=True)
    (src / 'train' / 'a.bvh').write_text(BVH)
    _, data = convert(tool, capsys, 'bvh', src, '--scale', .01)
    clip, = data['annotations']
    np.testing.assert_allclose(
        clip['keypoint'][0],
        [[[0, .9, 0], [0, 1, 0], [.05, 1, 0]],
         [[.01, .9, .02], [-.09, .9, .02], [-.09, .95, .02]]], atol=1e-6)
    assert data['skeleton'] == dict(
        name='bvh', joints=['Hips', 'Spine', 'LeftArm'], parents=[-1, 0, 1],
        center=0, shoulders=None)
    (src / 'train' / 'b.bvh').write_text(BVH.replace('LeftArm', 'Head'))
    assert ("b.bvh: expected the skeleton of train/a, whose joints[2] is "
            "'LeftArm', got 'Head'") in refuse(
        tool, capsys, 'bvh', src)
    (src / 'train' / 'b.bvh').write_text(BVH.replace('Frames: 2', 'Frames: 3'))
    assert refuse(tool, capsys, 'bvh', src) == (
        f'{src}/train/b.bvh: BVH declares 3 frames but file contains 2 data '
        'lines')
    (src / 'train' / 'b.bvh').write_text('Frames:\n')
    assert refuse(tool, capsys, 'bvh', src).startswith(
        f'{src}/train/b.bvh: no .bvh that pybvh can read')


def test_bvh_without_its_reader(tool, src, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pybvh', None)
    src.mkdir()
    assert refuse(tool, capsys, 'bvh', src).startswith(
        '.bvh files need pybvh (pip install pybvh): ')
