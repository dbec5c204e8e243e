"""New clips from files to a table."""
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import mmengine
import numpy as np
import pytest
from conftest import REPO, make_annotations
from mmengine.config import Config
from PIL import Image
from tiny_models import KNN, LINEAR, save_weights, tiny_config
from tools_loading import load_script, refusal

import umurl_mmaction
from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.apis.windows import cut_windows
from umurl_mmaction.fileio.annotations import (
    load_annotations,
    save_annotations,
)

SCRIPT = REPO / 'tools' / 'predict.py'
CLIPS = make_annotations()['annotations'][12:15]
CLASSES = ['wave', 'sit down', 'größe']


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


@pytest.fixture(scope='module')
def folder(ann_file, tmp_path_factory):
    """Models, and three clips in a file each and in one file."""
    path = tmp_path_factory.mktemp('prediction')
    for name in (KNN, LINEAR):
        cfg = tiny_config(ann_file, name)
        kind = name.partition('/')[0]
        cfg.dump(path / f'{kind}.py')
        save_weights(cfg, path / f'{kind}.pth')
    first, second, third = (clip['keypoint'] for clip in CLIPS)
    np.save(path / 'a.npy', first)
    np.savez(path / 'b.npz', keypoint=second)
    (path / 'c.csv').write_text('\n'.join(
        ','.join(map(repr, frame.ravel().tolist())) for frame in third[0]))
    mmengine.dump(
        dict(
            split=dict(new=[CLIPS[1]['frame_dir']]),
            annotations=CLIPS,
            classes=CLASSES), str(path / 'new.pkl'))
    (path / 'classes.txt').write_text(
        '\n'.join(CLASSES), encoding='utf-8')
    return path


def argv(folder, kind, *more):
    return [str(folder / f'{kind}.py'), str(folder / f'{kind}.pth'),
            *map(str, more), '--device', 'cpu']


def expected(folder, kind, clips=CLIPS, **kwargs):
    return UmURLInferencer(
        folder / f'{kind}.py', folder / f'{kind}.pth', device='cpu',
        **kwargs)([clip['keypoint'] for clip in clips])


def test_files_to_csv(tool, folder, capsys):
    files = [folder / name for name in ('a.npy', 'b.npz', 'c.csv')]
    tool.main(argv(folder, 'linear', *files))
    # Nothing but the table: it may go on through a pipe.
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    result = expected(folder, 'linear')
    assert [list(row) for row in rows] == [['name', 'label', 'score']] * 3
    for row, file, label, scores in zip(rows, files, result['labels'],
                                        result['scores']):
        assert row['name'] == str(file)
        assert int(row['label']) == label
        assert float(row['score']) == pytest.approx(scores.max(), abs=1e-6)


@pytest.mark.parametrize('clips, classes', [('new.pkl', 'classes.txt'),
                                            ('new.npz', 'new.pkl')])
def test_annotations_to_json(tool, folder, tmp_path, capsys, clips, classes):
    out = tmp_path / 'out.json'
    save_annotations(
        load_annotations(folder / 'new.pkl'), folder / 'new.npz')
    tool.main(
        argv(folder, 'knn', folder / clips, '--out', out, '--num-nearest',
             2, '--classes', folder / classes))
    assert capsys.readouterr().out == f'written to {out}\n'
    assert list(tmp_path.iterdir()) == [out]
    result = expected(folder, 'knn', num_nearest=2)
    rows = json.loads(out.read_text())
    assert [row['name'] for row in rows] == [x['frame_dir'] for x in CLIPS]
    for i, row in enumerate(rows):
        label = row['label']
        assert label == result['labels'][i]
        assert row['class'] == CLASSES[label]
        assert row['score'] == pytest.approx(result['scores'][i, label])
        for k, near in enumerate(row['nearest']):
            assert near['name'] == result['nearest_names'][i, k]
            assert near['label'] == result['nearest_labels'][i, k]
            assert near['similarity'] == pytest.approx(
                result['similarities'][i, k])
        assert len(row['nearest']) == 2


def test_nearest_clips_in_csv(tool, folder, tmp_path):
    out = tmp_path / 'out.csv'
    tool.main(
        argv(folder, 'knn', folder / 'new.pkl', '--split', 'new', '--out', out,
             '--num-nearest', 2))
    row, = csv.DictReader(io.StringIO(out.read_text()))
    result = expected(folder, 'knn', CLIPS[1:2], num_nearest=2)
    assert list(row) == [
        'name', 'label', 'score', 'nearest_1', 'nearest_label_1',
        'similarity_1', 'nearest_2', 'nearest_label_2', 'similarity_2'
    ]
    assert row['nearest_2'] == result['nearest_names'][0, 1]
    assert row['name'] == CLIPS[1]['frame_dir']


@pytest.mark.parametrize('kind', ['knn', 'linear'])
def test_the_data_name_their_classes(tool, folder, tmp_path, kind):
    """A gallery's file has the names, or the classifier's checkpoint."""
    path = tmp_path / 'set.pkl'
    mmengine.dump(dict(make_annotations(), classes=CLASSES), str(path))
    cfg = Config.fromfile(folder / f'{kind}.py')
    if kind == 'knn':
        cfg.model.gallery.dataset.ann_file = str(path)
    cfg.dump(tmp_path / f'{kind}.py')
    save_weights(cfg, tmp_path / f'{kind}.pth',
                 meta=dict(dataset_meta=dict(classes=CLASSES)))
    out = tmp_path / 'out.csv'
    tool.main(argv(tmp_path, kind, folder / 'a.npy', '--out', out))
    row, = csv.DictReader(io.StringIO(out.read_text(encoding='utf-8')))
    assert row['class'] == CLASSES[int(row['label'])]
    if kind == 'knn':
        label = int(row['nearest_label_1'])
        assert row['nearest_class_1'] == CLASSES[label]


def test_the_command(folder, tmp_path):
    """Its standard output is the table, the log goes elsewhere."""
    env = dict(
        os.environ,
        OMP_NUM_THREADS='1',
        PYTHONPATH=str(Path(umurl_mmaction.__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, SCRIPT, *argv(folder, 'knn', folder / 'a.npy')],
        env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    heading, row = done.stdout.splitlines()
    assert heading.startswith('name,label,score,nearest_1,')
    assert row.startswith(f'{folder / "a.npy"},')
    assert 'Encoding 12 clips' in done.stderr
    # A pipe is no terminal to draw a bar on.
    assert '1/1' not in done.stderr and '\r' not in done.stderr


@pytest.mark.parametrize('more, message', [
    (['lost.npy'], 'lost.npy: No such file or directory'),
    (['lost.mp4'], 'lost.mp4: expected a clip (.npy, .npz, .csv, .json) or'),
    (['wrong.npy'], 'wrong.npy: expected 25 joints, got shape (4, 17, 3)'),
    (['new.pkl', '--split', 'old'],
     "new.pkl' has no split 'old', only ['new']"),
    (['new.pkl', '--classes', 'few.txt'],
     '--classes must name 3 classes, got 1'),
    (['new.pkl', '--classes', 'none.txt'], 'expected names of classes, got n'),
    (['new.pkl', '--classes', 'gap.txt'], 'gap.txt: line 2 is empty; expe'),
    (['new.pkl', '--out', 'a.txt'], '--out must be a .csv or .json file'),
    (['new.pkl', '--num-nearest', '0'],
     'argument --num-nearest: must be at least 1'),
    (['new.pkl', '--cfg-options', 'model.cls_head=None'],
     'has neither a classifier nor a gallery'),
])
def test_what_cannot_be(tool, folder, monkeypatch, capsys, more, message):
    np.save(folder / 'wrong.npy', np.zeros((4, 17, 3)))
    (folder / 'few.txt').write_text('one')
    (folder / 'gap.txt').write_text('wave\n\nkick\n')
    (folder / 'none.txt').write_text('')
    monkeypatch.chdir(folder)
    assert message in refusal(tool, capsys, *argv(folder, 'linear', *more))


@pytest.mark.parametrize('content, item', [
    ([{'pose_world_landmarks': []}],
     "item [0]: expected a number, got {'pose_world_landmarks': []}"),
    ([None, [{'x': 1}]], 'item [0]: expected a number, got None'),
])
def test_files_of_a_pose_estimator(tool, folder, tmp_path, capsys, content,
                                   item):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    assert refusal(tool, capsys, *argv(folder, 'linear', path)) == (
        f'error: {path}: {item}; files of a pose estimator go through '
        'tools/data/pose_estimates.py first')


@pytest.fixture(scope='module')
def flat(ann_file, tmp_path_factory):
    """A model of pixels, and a clip whose last joint has no score."""
    path = tmp_path_factory.mktemp('pixels')
    cfg = tiny_config(ann_file, LINEAR)
    cfg.model.backbone.in_channels = 2
    cfg.test_dataloader.dataset.prepare = [dict(type='SkeletonPreNormalize2D')]
    cfg.dump(path / 'linear.py')
    save_weights(cfg, path / 'linear.pth')
    clip = 500 + 100 * CLIPS[0]['keypoint'][:1]
    clip[..., 2] = 0.9
    clip[..., -1, 2] = 0
    np.save(path / 'scored.npy', clip)
    (path / 'scored.csv').write_text('\n'.join(
        ','.join(map(repr, frame.ravel().tolist())) for frame in clip[0]))
    clip[..., -1, :] = 0
    np.save(path / 'plain.npy', clip[..., :2])
    np.save(path / 'more.npy', clip[..., [0, 1, 2, 2]])
    return path


@pytest.mark.parametrize('more', [[], ['--window', '16', '--stride', '7']])
def test_pixels_may_have_a_score(tool, flat, capsys, more):
    tables = []
    for name in ('plain.npy', 'scored.npy', 'scored.csv'):
        tool.main(argv(flat, 'linear', flat / name, *more))
        tables.append(capsys.readouterr().out.replace(name, ''))
    assert tables[1:] == tables[:1] * 2


def test_a_score_is_the_only_third_coordinate(tool, folder, flat, capsys):
    line = refusal(tool, capsys, *argv(flat, 'linear', flat / 'more.npy'))
    assert 'more.npy: expected (M, T, V, C)' in line
    assert 'which are 2 or 3; got (1, ' in line
    line = refusal(tool, capsys, *argv(folder, 'linear', flat / 'plain.npy'))
    assert 'plain.npy: expected 3 coordinates, got shape' in line


def test_windows_have_a_row_and_a_picture(tool, folder, tmp_path, capsys):
    out, picture = tmp_path / 'windows.csv', tmp_path / 'classes.png'
    tool.main(
        argv(folder, 'linear', str(folder / 'new.pkl'), '--window', '16',
             '--stride', '7', '--timeline', str(picture), '--out', str(out)))
    with open(out, encoding='utf-8') as f:
        rows = list(csv.DictReader(f))
    windows = [(x['frame_dir'], *frames) for x in CLIPS
               for frames in cut_windows(x['total_frames'], 16, 7)]
    assert [(x['recording'], int(x['start']), int(x['stop']))
            for x in rows] == windows
    clips = {x['frame_dir']: x['keypoint'] for x in CLIPS}
    expected = UmURLInferencer(
        folder / 'linear.py', folder / 'linear.pth', device='cpu')(
            [clips[name][:, start:stop] for name, start, stop in windows])
    for row, (name, start, stop), label, scores in zip(
            rows, windows, expected['labels'], expected['scores']):
        assert row['name'] == f'{name}[{start}:{stop}]'
        assert int(row['label']) == label
        assert float(row['score']) == pytest.approx(scores[label], abs=1e-6)
    assert np.asarray(Image.open(picture)).std() > 1


@pytest.mark.parametrize('more, message', [
    (['--window', '-1'], 'argument --window: must be at least 1, got -1'),
    (['--timeline', 'a.png'], '--timeline must be a .png file, with --window'),
    (['--window', '9', '--timeline', 'a.txt'], 'a .png file, with --window'),
])
def test_windows_that_cannot_be(tool, folder, capsys, more, message):
    line = refusal(
        tool, capsys, *argv(folder, 'linear', str(folder / 'a.npy'), *more))
    assert message in line
