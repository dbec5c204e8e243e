import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from tools_loading import (
    closing_lines,
    load_script,
    page_blocks,
    refusal,
)
from tools_loading import convert as run

import umurl_mmaction
from umurl_mmaction.fileio.annotations import load_annotations
from umurl_mmaction.fileio.clips import Clip, read_clip
from umurl_mmaction.skeleton import LAYOUTS

REPO = Path(__file__).parents[2]
SCRIPT = REPO / 'tools' / 'data' / 'custom_clips.py'


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


def fail(tool, capsys, *argv):
    """Run the command, which must refuse; what it says at last."""
    return refusal(tool, capsys, *argv).partition('error: ')[2]


def clip(num_frames=6, num_bodies=2, seed=0):
    """An array (M, T, 5, 3)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(num_bodies, num_frames, 5, 3)).round(3)


def write_csv(path, array, heading=None):
    lines = [heading] if heading else []
    lines += [','.join(map(str, frame.reshape(-1))) for frame in array]
    path.write_text('\n'.join(lines) + '\n')


@pytest.fixture
def folder(tmp_path):
    """The folder of tools/data/README.md."""
    path = tmp_path / 'src'
    (path / 'monday').mkdir(parents=True)
    np.save(path / 'clip1.npy', clip(6))
    write_csv(path / 'clip2.csv', clip(7, 1, 1)[0])
    (path / 'monday' / 'clip3.json').write_text(
        json.dumps(clip(8, 1, 2)[0].tolist()))
    (path / 'labels.csv').write_text(
        'name,label,split\nclip1,wave,train\nclip2,sit down,train\n'
        'monday/clip3,wave,val\n')
    return path


def convert(tool, capsys, folder, *argv):
    return run(tool, capsys, folder, '--num-joints', 5, *argv,
               out=folder.parent / 'a.pkl')


def refuse(tool, capsys, folder, *argv):
    out = folder.parent / 'a.pkl'
    line = fail(tool, capsys, folder, '--out', out, '--num-joints', 5,
                '--workers', 1, *argv)
    assert not out.exists()
    return line


def test_files_of_all_kinds(tool, folder, tmp_path, capsys):
    lines, data = convert(tool, capsys, folder)
    assert list(data) == ['split', 'annotations', 'classes']
    assert data['split'] == dict(train=['clip1', 'clip2'],
                                 val=['monday/clip3'])
    assert data['classes'] == ['sit down', 'wave']
    expected = [('clip1', 1, clip(6)), ('clip2', 0, clip(7, 1, 1)),
                ('monday/clip3', 1, clip(8, 1, 2))]
    for got, (name, label, keypoint) in zip(data['annotations'], expected):
        assert got['frame_dir'] == name and got['label'] == label
        assert got['total_frames'] == keypoint.shape[1]
        assert type(got['keypoint']) is np.ndarray
        assert got['keypoint'].dtype == np.float32
        np.testing.assert_array_equal(
            got['keypoint'], keypoint.astype(np.float32))
    assert lines == [
        '3 clips, 2 classes, 21 frames, 4 bodies', '2 train, 1 val',
        '0 skipped', f'written to {tmp_path / "a.pkl"}'
    ]


def test_same_bytes_whatever_the_workers(tool, folder, tmp_path, capsys):
    convert(tool, capsys, folder)
    env = dict(os.environ, PYTHONPATH=str(
        Path(umurl_mmaction.__file__).parents[1]), OMP_NUM_THREADS='1')
    done = subprocess.run(
        [sys.executable, SCRIPT, folder, '--out', tmp_path / 'b.pkl',
         '--coords', '3', '--workers', '2'], env=env, capture_output=True,
        text=True)
    assert done.returncode == 0, done.stderr
    assert '3/3' not in done.stdout  # bars are for terminals
    assert (tmp_path / 'a.pkl').read_bytes() == (
        tmp_path / 'b.pkl').read_bytes()


# The table


@pytest.mark.parametrize('table', [
    'name,split\nclip1,train\nclip2,train\nmonday/clip3,train\n',
    'split,label,name\ntrain,,clip1\ntrain,"",clip2\ntrain,,monday/clip3'])
def test_unlabelled_clips_have_no_label(tool, folder, capsys, table):
    (folder / 'labels.csv').write_text(table)
    lines, data = convert(tool, capsys, folder)
    assert list(data) == ['split', 'annotations']
    assert not any('label' in x for x in data['annotations'])
    assert lines[0] == ('3 clips, 0 classes, 21 frames, 4 bodies, 3 without a '
                        'label')


def test_integers_are_ids(tool, folder, capsys):
    (folder / 'labels.csv').write_text(
        '\ufeffname, label, split\r\nclip1, 10, train\r\n\r\nclip2, 2, val\r\n'
        'monday/clip3,,val\r\n', encoding='utf-8')
    lines, data = convert(tool, capsys, folder)
    assert [x.get('label') for x in data['annotations']] == [10, 2, None]
    assert 'classes' not in data
    assert lines[0].endswith(', 2 classes, 21 frames, 4 bodies, 1 without a '
                             'label')


def test_table_elsewhere(tool, folder, tmp_path, capsys):
    table = (folder / 'labels.csv').rename(tmp_path / 'mine.csv')
    assert refuse(tool, capsys, folder) == (
        f'{folder}/labels.csv: No such file or directory')
    _, data = convert(tool, capsys, folder, '--labels', table)
    assert len(data['annotations']) == 3


@pytest.mark.parametrize('heading', ['', 'name\n', 'name,labels,split\n',
                                     'clip1,wave,train\n'])
def test_wrong_columns(tool, folder, capsys, heading):
    (folder / 'labels.csv').write_text(heading)
    assert refuse(tool, capsys, folder, '--on-error', 'skip') == (
        f'{folder}/labels.csv: line 1: expected the columns name, split and, '
        f'if there are classes, label, got '
        f'{heading.strip().replace(",", ", ") or "none"}')


@pytest.mark.parametrize('row, message', [
    ('clip2,train', 'expected 3 fields, got 2'),
    ('clip2,sit,down,train', 'expected 3 fields, got 4'),
    (',wave,train', 'expected a name and a split'),
    ('clip2,wave,', 'expected a name and a split'),
    ('clip1,wave,train', 'expected clip1 once, it is there twice'),
    ('clip2,7,train',
     "expected a name as label, as in the lines before, got '7'")])
def test_malformed_rows(tool, folder, capsys, row, message):
    table = folder / 'labels.csv'
    table.write_text(table.read_text().replace('clip2,sit down,train', row))
    message = f'{table}: line 3: {message}'
    assert refuse(tool, capsys, folder) == message
    lines, data = convert(tool, capsys, folder, '--on-error', 'skip')
    assert lines[2:5] == ['2 skipped', f'  1: {message}',
                          '  1: not in labels.csv (clip2)']
    assert len(data['annotations']) == 2


def test_missing_and_additional_files(tool, folder, capsys):
    (folder / 'clip2.csv').unlink()
    np.save(folder / 'monday' / 'clip3.npy', clip())
    np.save(folder / 'new.npy', clip())
    np.save(folder / '._new.npy', clip())
    message = f'{folder}/labels.csv: line 3: no file of clip2 in {folder}'
    assert refuse(tool, capsys, folder) == message
    lines, _ = convert(tool, capsys, folder, '--on-error', 'skip')
    assert lines[2:6] == [
        '3 skipped', f'  1: {message}', '  1: not in labels.csv (new)',
        f'  1: {folder}/monday/clip3.json: expected one file of that clip, '
        'got clip3.json, clip3.npy']
    (folder / 'clip1.npy').unlink()
    assert refuse_all(tool, capsys, folder).endswith(
        f'no clip is left of 3 in {folder}/labels.csv')


def refuse_all(tool, capsys, folder):
    return fail(tool, capsys, folder, '--out', folder / 'b.pkl', '--coords', 3,
                '--on-error', 'skip', '--workers', 1)


def test_skipped_clips_do_not_change_the_ids(tool, folder, capsys):
    (folder / 'clip2.csv').write_text('1,2,3\n')
    _, data = convert(tool, capsys, folder, '--on-error', 'skip')
    assert data['classes'] == ['sit down', 'wave']
    assert [x['label'] for x in data['annotations']] == [1, 1]


# The clips


def read(path, **kwargs):
    return read_clip(Clip(path, **kwargs))


@pytest.mark.parametrize('heading', [
    None, 'x0,y0,z0' + ',v' * 12, ','.join(map(str, range(15)))])
def test_csv_with_a_line_a_frame(tmp_path, heading):
    array = clip(4, 1)
    write_csv(tmp_path / 'a.csv', array[0], heading)
    for kwargs in (dict(num_joints=5), dict(coords=3),
                   dict(num_joints=5, coords=3)):
        np.testing.assert_array_equal(
            read(tmp_path / 'a.csv', **kwargs),
            array.astype(np.float32))
    with pytest.raises(ValueError, match=r'coordinates, which are 2 or 3; '
                       r'got \(1, 4, 15, 1\)'):
        read(tmp_path / 'a.csv', num_joints=15)


@pytest.mark.parametrize('first', [0, 1])
def test_csv_with_a_line_a_frame_and_body(tmp_path, first):
    array = clip(4, 2)
    array[0, 2:] = array[1, :2] = 0
    lines = ['Frame, Body' + ', v' * 15]
    for frame, body in ((0, 0), (1, 0), (2, 1), (3, 1), (3, 0)):
        lines.append(', '.join(map(str, [frame + first, body] + [
            *array[body, frame].reshape(-1)])))
    (tmp_path / 'a.csv').write_text('\n'.join(lines))
    np.testing.assert_array_equal(
        read(tmp_path / 'a.csv', num_joints=5),
        array.astype(np.float32))


@pytest.mark.parametrize('lines, message', [
    ([], 'expected a line a frame, the file ends'),
    (['x,y,z'], 'expected a line a frame, the file ends'),
    (['1,2,3', '4,5'], 'line 2: expected 3 numbers, got 2'),
    (['1,2,3', '4,5,'], "line 2: expected finite numbers, got ''"),
    (['x,y,z', '4,5,six'], "line 2: expected finite numbers, got 'six'"),
    (['nan,2,3'], "line 1: expected finite numbers, got 'nan'"),
    (['1,2,3', '1,2,inf'], "line 2: expected finite numbers, got 'inf'"),
    (['1,2'], 'line 1: expected a multiple of 3 numbers, got 2'),
    (['7,1,2,3'], 'line 1: expected a multiple of 3 numbers, got 4; a number '
     'in front of the coordinates wants a heading that starts with frame'),
    (['1;2;3'], 'line 1: expected commas between the fields, got semicolons'),
    (['1,5;2,5;3,5'],
     'line 1: expected commas between the fields, got semicolons'),
    (['1\t2\t3'], 'line 1: expected commas between the fields, got tabs'),
    (['1 2 3'], 'line 1: expected commas between the fields, got blanks'),
    (['frame,x,y,z', '0,1,2,3', '2,1,2,3'],
     'line 3: expected frame 1, got 2'),
    (['frame,x,y,z', '2,1,2,3'], 'line 2: expected frame 0 or 1, got 2'),
    (['frame,x,y,z', '0,1,2,3', '0,1,2,3'],
     'line 3: expected frame 1, got 0'),
    (['frame,x,y,z', 'a,1,2,3'],
     "line 2: expected a frame counted from 0, got 'a'"),
    (['frame,body,x,y,z', '0,0,1,2,3', '0,0,1,2,3'],
     'line 3: body 0 of frame 0 is there twice'),
    (['frame,body,x,y,z', '0,0,1,2,3', '2,0,1,2,3'],
     'line 3: expected frame 0 or 1, got 2'),
    (['frame,body,x,y,z', '0,-1,1,2,3'],
     "line 2: expected a body counted from 0, got '-1'"),
    (['frame,body,x,y,z', '0,0,1,2,3', '0,72057594037930001,1,2,3'],
     'line 3: expected bodies counted from 0 without gaps, got '
     '72057594037930001, but 2 in all'),
    (['1,"2,3'], 'line 2: unexpected end of data')])
def test_malformed_csv(tmp_path, lines, message):
    path = tmp_path / 'a.csv'
    path.write_text('\n'.join(lines))
    with pytest.raises(ValueError) as info:
        read(path, coords=3)
    assert str(info.value) == f'{path}: {message}'


def test_csv_of_another_encoding(tmp_path):
    (tmp_path / 'a.csv').write_bytes('größe\n1'.encode('latin1'))
    with pytest.raises(ValueError, match='a.csv: .utf-8. codec'):
        read(tmp_path / 'a.csv', coords=1)


def test_csv_needs_to_know_the_joints(tool, folder, tmp_path, capsys):
    argv = [folder, '--out', tmp_path / 'a.pkl', '--workers', 1]
    assert fail(tool, capsys, *argv) == (
        f'{folder}/clip2.csv: line 1: a .csv does not tell where a joint '
        'ends, so --num-joints or --coords is needed')
    assert fail(tool, capsys, *argv, '--coords', 4).startswith(
        f'{folder}/clip1.npy: expected 4 coordinates, got shape (2, 6, 5, 3)')
    (folder / 'clip1.npy').unlink()
    write_csv(folder / 'clip1.csv', clip(3, 1)[0])
    assert fail(tool, capsys, *argv, '--coords', 2, '--num-joints', 5) == (
        f'{folder}/clip1.csv: line 1: expected 10 numbers, 5 joints of 2, got '
        '15')


@pytest.mark.parametrize('text, message', [
    ('[[[1, 2], [3, 4]], [[1, 2]]]',
     'item [1]: expected shape (2, 2) as of those before, got (1, 2)'),
    ('[[[1, 2], [3]]]',
     'item [0][1]: expected shape (2,) as of those before, got (1,)'),
    ('[[[1, 2], [3, null]]]', 'item [0][1][1]: expected a number, got None'),
    ('[[[1, 2], [3, "4"]]]', "item [0][1][1]: expected a number, got '4'"),
    ('[[[1, 2], [3, true]]]', 'item [0][1][1]: expected a number, got True'),
    ('{"a": 1}', "item 0: expected a number, got {'a': 1}"),
    ('[[1, 2], [3, 4]]', 'expected numbers (T, V, C) or (M, T, V, C), got '
     'float64 (2, 2)'),
    ('[[[]]]', 'expected numbers (T, V, C) or (M, T, V, C), got float64 '
     '(1, 1, 0)'),
    ('[[[1, 2], [3, NaN]]]',
     'body 0, frame 0, joint 1: expected finite numbers'),
    ('[[[1, 2], [3, 1e40]]]',
     'body 0, frame 0, joint 1: expected finite numbers'),
    ('[[[1, 2], [3, 1' + '0' * 400 + ']]]', 'int too large'),
    ('[[[1, 2],\n[3, 4]]', "Expecting ',' delimiter: line 2 column 8"),
    ('[' * 100000, '')])  # Python's own words
def test_malformed_json(tmp_path, text, message):
    path = tmp_path / 'a.json'
    path.write_text(text)
    with pytest.raises(ValueError) as info:
        read(path)
    assert str(info.value).startswith(f'{path}: {message}')


@pytest.mark.parametrize('array, message', [
    (np.zeros((3, 4)), 'expected numbers (T, V, C) or (M, T, V, C), got '
     'float64 (3, 4)'),
    (np.zeros((0, 4, 3)), ''),  # NumPy's own words in some versions
    (np.full((1, 2, 3), 'a'), 'expected numbers (T, V, C) or (M, T, V, C), '
     'got <U1 (1, 2, 3)'),
    (np.full((1, 2, 3), None), 'Python objects in dtype'),
    (np.where(np.arange(24).reshape(2, 4, 3) == 16, np.inf, 1),
     'body 0, frame 1, joint 1: expected finite numbers')])
def test_malformed_npy(tmp_path, array, message):
    path = tmp_path / 'a.npy'
    np.save(path, array)
    with pytest.raises(ValueError) as info:
        read(path)
    assert str(info.value).startswith(f'{path}: ')
    assert message in str(info.value)


@pytest.mark.parametrize('axes, kept, message', [
    ('TMVC', [0, 1], ' (30, 2, 25, 3), which has more bodies than frames'),
    ('CTVM', [0], ' (3, 30, 25, 1)'),
    ('CTVM', [0, 1], ' (3, 30, 25, 2), without any second coordinate: is it '
     '(C, T, V, M)?'),
    ('MTCV', [0], ' (1, 30, 3, 25)')])
def test_axes_in_another_order(tmp_path, axes, kept, message):
    keypoint = np.random.default_rng(0).random((2, 30, 25, 3))
    keypoint[1] = 0
    order = ['MTVC'.index(axis) for axis in axes]
    np.save(tmp_path / 'a.npy', keypoint[kept].transpose(order))
    with pytest.raises(ValueError) as info:
        read(tmp_path / 'a.npy')
    assert str(info.value).startswith(
        f'{tmp_path}/a.npy: expected (M, T, V, C): bodies, frames, joints, '
        'coordinates')
    assert message in str(info.value)


def test_names_with_a_suffix(tool, folder, capsys):
    table = folder / 'labels.csv'
    table.write_text(table.read_text().replace('clip1,', 'clip1.npy,'))
    assert refuse(tool, capsys, folder) == (
        f'{table}: line 2: no file of clip1.npy in {folder}: the name is '
        'without the suffix')


def test_suffixes_and_headings_in_capitals(tool, folder, capsys):
    (folder / 'clip1.npy').rename(folder / 'clip1.Npy')
    (folder / 'clip2.csv').rename(folder / 'clip2.CSV')
    table = folder / 'labels.csv'
    table.write_text(table.read_text().replace('name,label', 'Name,Label'))
    _, data = convert(tool, capsys, folder)
    assert len(data['annotations']) == 3


def test_folders_that_are_links(tool, folder, tmp_path, capsys):
    (folder / 'monday').rename(tmp_path / 'elsewhere')
    (folder / 'monday').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere' / 'again').symlink_to(tmp_path / 'elsewhere')
    (folder / 'again').symlink_to(folder)
    lines, data = convert(tool, capsys, folder)
    assert len(data['annotations']) == 3 and lines[2] == '0 skipped'


def test_truncated_npy(tmp_path):
    path = tmp_path / 'a.npy'
    np.save(path, clip())
    whole = path.read_bytes()
    for size in (0, 5, 40, 200):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match='a.npy: '):
            read(path)
    np.savez(tmp_path / 'a.npz', clip())
    (tmp_path / 'a.npz').rename(path)
    with pytest.raises(ValueError, match='magic string'):
        read(path)


def test_npz_with_one_array_or_a_keypoint(tmp_path):
    array, path = clip(), tmp_path / 'a.npz'
    for arrays in (dict(anything=array), dict(keypoint=array, score=array[0])):
        np.savez(path, **arrays)
        np.testing.assert_array_equal(read(path), array.astype(np.float32))
    np.savez(path, a=array, b=array)
    with pytest.raises(ValueError) as info:
        read(path)
    assert str(info.value) == (
        f'{path}: expected one array, or one named keypoint, got a, b')
    np.savez(path, np.array([None]))
    with pytest.raises(ValueError, match='a.npz: arr_0 is of object;'):
        read(path)
    whole = path.read_bytes()
    for size in (0, 3, 40, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match='a.npz: '):
            read(path)


def test_clips_must_agree(tool, folder, capsys):
    (folder / 'clip2.csv').unlink()
    np.save(folder / 'clip2.npy', np.ones((4, 5, 2)))
    message = f'{folder}/clip2.npy: expected (V, C) = (5, 3) as in clip1, got '
    assert refuse(tool, capsys, folder) == message + '(5, 2)'
    lines, data = convert(tool, capsys, folder, '--on-error', 'skip')
    assert lines[2:4] == ['1 skipped', f'  1: {message}(5, 2)']
    assert len(data['annotations']) == 2


def test_a_clip_of_zeros_is_left_out(tool, folder, capsys):
    np.save(folder / 'clip1.npy', 0 * clip())
    lines, _ = convert(tool, capsys, folder)
    assert lines[2:4] == ['1 skipped', '  1: no body in any frame (clip1)']


# The command


def test_the_page_from_a_folder_to_an_accuracy(tool, folder, tmp_path,
                                               monkeypatch):
    """`own_skeletons.md`, step by step, on its example folder."""
    monkeypatch.chdir(tmp_path)
    page = REPO / 'tools' / 'data' / 'own_skeletons.md'
    skeleton, = page_blocks(page, 'json')
    (folder / 'skeleton.json').write_text(skeleton)
    command, = [line.split() for line in page.read_text().splitlines()
                if line.startswith('python tools/data/custom_clips.py')]
    assert command[2] == 'my_clips'
    folder.rename('my_clips')
    # Workers cannot find a script that is no module.
    tool.main([*command[2:], '--workers', '1'])

    data = load_annotations(command[-1])
    assert data['skeleton'] == dict(json.loads(skeleton), shoulders=None)
    start = load_script(REPO / 'tools' / 'start.py')
    start.main(['data/mine.pkl'])

    def build(name, **settings):
        cfg = Config.fromfile(f'mine/mine_{name}.py')
        loaders = [cfg[x] for x in cfg if x.endswith('_dataloader')]
        loaders += [cfg.model.gallery] if 'gallery' in cfg.model else []
        for loader in loaders:
            # Validation in pre-training follows the training set.
            assert loader.dataset.get('ann_file', command[-1]) == command[-1]
            loader.update(
                batch_size=2, num_workers=0, persistent_workers=False)
        cfg.model.backbone.embed_dims = 16
        for part in ('neck', 'cls_head'):
            if part in cfg.model:
                cfg.model[part].in_channels = 32
        if 'train_cfg' in cfg:
            counts_steps = cfg.train_cfg.type == 'PassesTrainLoop'
            length = 'max_iters' if counts_steps else 'max_epochs'
            cfg.train_cfg[length] = 1
        cfg.update(
            work_dir='work', experiment_name=f'{tmp_path.name}-{name}')
        cfg.update(settings)
        return Runner.from_cfg(cfg)

    build('pretrain').train()
    checkpoint = 'work/iter_1.pth'
    knn = build('retrieve', load_from=checkpoint)
    assert knn.test()['acc/top1'] in (0, 1)
    linear = build('probe', load_from=checkpoint)
    linear.train()
    assert linear.val_loop.run()['acc/top1'] in (0, 1)


def test_help_shows_an_example():
    done = subprocess.run(
        [sys.executable, SCRIPT, '--help'], capture_output=True, text=True)
    assert done.returncode == 0
    assert 'example: python tools/data/custom_clips.py' in ' '.join(
        done.stdout.split())


# The skeleton


SKELETON = dict(
    name='mine',
    joints=list('abcde'),
    parents=[-1, 0, 1, 1, 1],
    center=0,
    shoulders=[3, 4])


@pytest.mark.parametrize('suffix', ['.pkl', '.npz'])
def test_the_skeleton_becomes_part_of_the_annotations(
        tool, folder, tmp_path, capsys, suffix):
    path = folder / 'skeleton.json'
    path.write_text(json.dumps(SKELETON))
    out = tmp_path / f'a{suffix}'
    lines = closing_lines(
        tool, capsys, folder, '--skeleton', path, '--workers', 1, '--out', out)
    # It needs no --num-joints, and is no clip.
    assert lines[2] == '0 skipped'
    assert load_annotations(out)['skeleton'] == SKELETON


@pytest.mark.parametrize('content, message', [
    ('{"joints": ["a"]}', 'skeleton has no parents'),
    ('{', 'Expecting property name'),
    ('7', 'skeleton must be the name of a layout or a dict, got int'),
    ('{"joints": ["a", "b"], "parents": [0, 0]}',
     "layout 'custom': exactly one root (parent -1) is wanted, got 0: []"),
    ('{"joints": ["a", "b"], "parents": [-1, 0.5]}',
     'parents of the skeleton must be a list of integers, got [-1, 0.5]')])
def test_a_wrong_skeleton_is_named(tool, folder, capsys, content, message):
    path = folder / 'skeleton.json'
    path.write_text(content)
    assert refuse(tool, capsys, folder, '--skeleton', path).startswith(
        f'{path}: {message}')


def test_a_skeleton_that_is_not_the_clips(tool, folder, capsys):
    assert refuse(tool, capsys, folder, '--skeleton', 'coco') == (
        '--num-joints 5 does not fit the skeleton, which has 17 joints')
    assert refuse(tool, capsys, folder, '--skeleton', 'kinect') == (
        '--skeleton must be a .json file or one of '
        f"{', '.join(sorted(LAYOUTS))}, got 'kinect'")
    assert refuse(tool, capsys, folder, '--skeleton', 'no.json') == (
        'no.json: No such file or directory')
    line = fail(tool, capsys, folder, '--out', folder / 'a.pkl', '--workers',
                1, '--skeleton', 'coco')
    assert line.startswith(f'{folder}/clip1.npy: expected 17 joints, got ')


@pytest.mark.parametrize('argv, line', [
    (['--workers', '0'], 'argument --workers: must be at least 1, got 0'),
    (['--num-joints', '0'],
     'argument --num-joints: must be at least 1, got 0'),
    (['--coords', '-1'], 'argument --coords: must be at least 1, got -1')])
def test_wrong_values(tool, folder, capsys, argv, line):
    assert refuse(tool, capsys, folder, *argv) == line


def broken_archives(folder):
    """Archives of a clip that cannot be read, by what is wrong."""
    np.savez(folder / 'whole.npz', clip(6))
    whole = (folder / 'whole.npz').read_bytes()
    (folder / 'whole.npz').unlink()
    entry = whole.find(b'PK\x01\x02')

    def put(*places):
        data = bytearray(whole)
        for place, value in places:
            data[place] = value
        return bytes(data)

    header = io.BytesIO()
    with zipfile.ZipFile(header, 'w') as archive:
        archive.writestr('a.npy', b'\x93NUMPY\x01\x00\x08\x00{"a": (((')
    other = io.BytesIO()
    with zipfile.ZipFile(other, 'w') as archive:
        archive.writestr('a.txt', 'b')
    return {
        'corrupt': (put((200, whole[200] ^ 255)), 'Bad CRC-32'),
        'encrypted': (put((6, 1), (entry + 8, 1)), 'is encrypted'),
        'compressed': (put((8, 99), (entry + 10, 99)), 'compression method'),
        'header': (header.getvalue(), 'cannot be read'),
        'other': (other.getvalue(), 'expected one array'),
    }


@pytest.mark.parametrize('name', ['corrupt', 'encrypted', 'compressed',
                                  'header', 'other'])
def test_archives_that_cannot_be_read(tool, folder, tmp_path, capsys, name):
    content, message = broken_archives(tmp_path)[name]
    (folder / 'clip1.npy').unlink()
    (folder / 'clip1.npz').write_bytes(content)
    line = refuse(tool, capsys, folder)
    assert line.startswith(f'{folder}/clip1.npz: ') and message in line
    lines, data = convert(tool, capsys, folder, '--on-error', 'skip')
    assert '1 skipped' in lines and len(data['annotations']) == 2
