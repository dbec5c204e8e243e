"""Figures of results hold the numbers that they were given."""
import io
from collections import OrderedDict

import mmengine
import numpy as np
import pytest
import torch
from conftest import make_annotations
from payloads import Call, run
from run_logs import train, write_log
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix

from umurl_mmaction.analysis.curves import choose_names, read_run
from umurl_mmaction.fileio.annotations import save_annotations
from umurl_mmaction.visualization import ClassNames
from umurl_mmaction.visualization.confusion import (
    class_accuracies,
    count_confusions,
    draw_confusion,
    read_predictions,
)
from umurl_mmaction.visualization.curves import draw_curves
from umurl_mmaction.visualization.feature_map import (
    choose_clips,
    draw_feature_map,
    flatten,
)
from umurl_mmaction.visualization.gallery import (
    RIGHT_COLOR,
    WRONG_COLOR,
    Neighbor,
    gallery_strips,
)

# Class names


def test_names_come_from_the_file_or_the_dataset_or_are_numbers(tmp_path):

    class Dataset:
        metainfo = dict(classes=['sit', 'stand'])

    path = tmp_path / 'names.txt'
    path.write_text('hüpfen\n  run \n\n')
    names = ClassNames.find(path, Dataset)
    assert [names[i] for i in (0, 1, 2, None)] == [
        'hüpfen', 'run', 'class 2', 'no label'
    ]
    assert ClassNames.find(None, Dataset)[1] == 'stand'
    assert ClassNames.find(None)[1] == 'class 1'
    assert [names.label_of(x) for x in ('run', '7')] == [1, 7]
    with pytest.raises(ValueError, match="no class 'fly': wanted is a label"):
        names.label_of('fly')


@pytest.mark.parametrize('name', ['set.pkl', 'set.npz'])
def test_annotations_name_the_classes_too(tmp_path, name):
    path = tmp_path / name
    save_annotations(
        dict(make_annotations(), classes=['sit', 'run']), path)
    assert ClassNames.find(path).names == ['sit', 'run']


@pytest.mark.parametrize('text, message', [
    ('wave\n\nkick\n', 'line 2 is empty; expected the name of a class'),
    ('\nwave\nkick\n', 'line 1 is empty; expected the name of a class'),
    ('\n \n', 'expected names of classes, got none')
])
def test_a_line_without_a_name_shifts_no_label(tmp_path, text, message):
    path = tmp_path / 'names.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=f'names.txt: {message}'):
        ClassNames.find(path)


# Retrieval


def test_marks_agree_with_the_labels():
    clip = np.zeros((1, 2, 25, 3))
    labels = [2, 0, 2, None]
    neighbors = [
        Neighbor(clip + i, f'gallery{i}', label, 0.9 - 0.1 * i)
        for i, label in enumerate(labels)
    ]
    names = ClassNames(['sit', 'stand', 'a name too long for a line of it'])
    query, *strips = gallery_strips(clip, 'query1', 2, neighbors, names)
    assert query.title.splitlines() == [
        'query: 2 of 3 right', 'a name too long for a line', 'of it', 'query1'
    ]
    # That of the nearest one.
    assert query.color == RIGHT_COLOR
    missed, *_ = gallery_strips(clip, 'query1', 0, neighbors, names)
    assert missed.title.startswith('query: 1 of 3 right')
    assert missed.color == WRONG_COLOR
    unknown, *_ = gallery_strips(clip, 'query1', None, neighbors, names)
    assert unknown.title.startswith('query\n') and unknown.color is None
    assert [strip.color for strip in strips] == [
        RIGHT_COLOR, WRONG_COLOR, RIGHT_COLOR, None
    ]
    heads = [strip.title.splitlines()[0] for strip in strips]
    assert heads == [
        '1: ✓ right, cosine 0.900', '2: ✗ wrong, cosine 0.800',
        '3: ✓ right, cosine 0.700', '4: cosine 0.600'
    ]
    assert 'stand' not in strips[1].title and 'sit' in strips[1].title
    for i, strip in enumerate(strips):
        np.testing.assert_array_equal(strip.clip, clip + i)


# Confusion matrix


def dump(path, truth, predicted, num_classes):
    results = []
    for t, p in zip(truth, predicted):
        score = torch.zeros(num_classes)
        score[p] = 1
        results.append(
            dict(
                pred_score=score,
                pred_label=torch.tensor([p]),
                gt_label=torch.tensor([t])))
    mmengine.dump(results, str(path))
    return results


def test_matrix_and_accuracies_are_those_of_the_predictions(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 50)  # classes 4 and 5 are never there
    predicted = np.where(rng.random(50) < 0.6, truth, 5)
    results = dump(tmp_path / 'a.pkl', truth, predicted, 6)
    predictions = read_predictions(tmp_path / 'a.pkl')
    matrix = count_confusions(predictions)
    np.testing.assert_array_equal(
        matrix, confusion_matrix(truth, predicted, labels=range(6)))
    for k, accuracy in enumerate(class_accuracies(matrix)):
        wanted = (predicted[truth == k] == k).mean() if k < 4 else np.nan
        np.testing.assert_allclose(accuracy, wanted)

    # Without scores, a label may be beyond those that are predicted.
    for result in results:
        del result['pred_score']
    mmengine.dump(results, str(tmp_path / 'b.pkl'))
    again = read_predictions(tmp_path / 'b.pkl')
    assert again.num_classes == 6
    np.testing.assert_array_equal(again.predicted, predicted)


@pytest.mark.parametrize('num_classes', [3, 30])
def test_drawn_matrix_is_the_matrix(num_classes):
    rng = np.random.default_rng(0)
    matrix = rng.integers(1, 20, (num_classes, num_classes))
    matrix[1] = 0
    figure = draw_confusion(matrix, ClassNames(['sit', 'stand']))
    left = figure.axes[0]
    right = left.child_axes[0]
    percent = np.asarray(left.images[0].get_array())
    counts = np.maximum(matrix.sum(axis=1), 1)
    np.testing.assert_allclose(percent, 100 * matrix / counts[:, None])
    names = ['sit', 'stand', 'class 2']
    for axis in (left.xaxis, left.yaxis):
        assert [t.get_text() for t in axis.get_ticklabels()][:3] == names
    bars = [bar.get_width() for bar in right.patches]
    np.testing.assert_allclose(bars, 100 * class_accuracies(matrix))
    middles = [bar.get_y() + bar.get_height() / 2 for bar in right.patches]
    np.testing.assert_allclose(middles, range(num_classes))
    assert right.texts[1].get_text() == 'no clip'
    assert right.texts[0].get_text() == (
        f'{bars[0]:.0f} % of {matrix[0].sum()}')
    top1 = 100 * matrix.trace() / matrix.sum()
    assert f'top-1 {top1:.1f} %' in figure.get_suptitle()


@pytest.mark.parametrize('content, message', [
    ({}, 'expected a list of predictions'),
    ([], 'expected a list of predictions'),
    ([dict(pred_label=1)], "prediction 0: expected gt_label.*got 'gt_label'"),
    ([dict(gt_label=1)], "prediction 0: .*got 'pred_label'"),
    ([3], 'prediction 0: expected gt_label'),
    ([dict(gt_label=10**9, pred_label=0)], 'at most 5000 classes, got 10000'),
])
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / 'a.pkl'
    mmengine.dump(content, str(path))
    with pytest.raises(ValueError, match=message):
        read_predictions(path)


def test_a_result_file_runs_nothing(tmp_path):
    marker, path = tmp_path / 'marker', tmp_path / 'a.pkl'
    inner = io.BytesIO()
    torch.save(run(f'touch {marker}'), inner,
               _use_new_zipfile_serialization=False)
    for payload in (run(f'touch {marker}'),
                    Call(torch.storage._load_from_bytes, inner.getvalue())):
        mmengine.dump([dict(gt_label=1, pred_label=payload)], str(path))
        with pytest.raises(ValueError, match='a.pkl: no pickle of plain data'):
            read_predictions(path)
        assert not marker.exists()
    mmengine.load(str(path))
    assert marker.exists()


def test_a_tensor_of_more_values_than_are_there_is_refused(tmp_path):
    path = tmp_path / 'a.pkl'
    score = torch.zeros(1).expand(1 << 40)
    mmengine.dump([dict(gt_label=1, pred_score=score)], str(path))
    with pytest.raises(ValueError, match='made of 1 values'):
        read_predictions(path)
    # torch makes room for all values up to it.
    storage = torch.zeros(1).storage()
    for offset, size, stride in ((1 << 28, (1, ), (1, )),
                                 (0, (1, 1), (1, )),
                                 (1, (1, ), (0, ))):
        score = Call(torch._utils._rebuild_tensor_v2, storage, offset, size,
                     stride, False, OrderedDict())
        mmengine.dump([dict(gt_label=1, pred_score=score)], str(path))
        with pytest.raises(ValueError, match='a.pkl: no pickle of plain data'
                                             ': it has a tensor of '):
            read_predictions(path)


# Curves


def test_points_are_those_of_the_log(tmp_path):
    records = [train(2, 3.), train(4, 2.), {'acc/top1': 0.5, 'step': 1},
               train(6, 1.), train(8, .5), {'acc/top1': 0.7, 'step': 2}]
    write_log(tmp_path, '20260101_000000', *records)
    # LoggerHook writes the same once more.
    write_log(
        tmp_path, '20260101_000000', *records, name='20260101_000000.json')
    # And a test run has no step.
    write_log(tmp_path, '20260102_000000', {'acc/top1': 0.9})
    curves = read_run(tmp_path)
    assert curves['loss'] == [(2, 3), (4, 2), (6, 1), (8, .5)]
    assert curves['acc/top1'] == [(4, 0.5), (8, 0.7)]
    log = tmp_path / '20260101_000000/vis_data/20260101_000000.json'
    assert read_run(log) == curves

    names = choose_names([curves], [])
    assert names == ['loss', 'acc/top1']
    for by_epoch, unit in ((False, 1), (True, 4)):
        figure = draw_curves({'mine': curves}, names, by_epoch)
        for axes, name in zip(figure.axes, names):
            [line] = axes.get_lines()
            assert axes.get_title() == name
            np.testing.assert_allclose(
                line.get_xydata(),
                np.array(curves[name]) / (unit, 1))
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['mine']


def test_every_run_has_a_line_in_every_panel():
    runs = {
        'a': dict(loss=[(1, 2.), (2, 1.)]),
        'b': {'loss': [(1, 3.)], 'acc/top1': [(1, 0.5)]}
    }
    names = choose_names(runs.values(), ['acc/top1', 'loss'])
    figure = draw_curves(runs, names)
    assert [axes.get_title() for axes in figure.axes] == names
    for axes, name in zip(figure.axes, names):
        for line, curves in zip(axes.get_lines(), runs.values()):
            np.testing.assert_array_equal(
                line.get_xydata(),
                np.reshape(curves.get(name, []), (-1, 2)))
    with pytest.raises(ValueError, match='not logged by epoch'):
        draw_curves(runs, names, by_epoch=True)


def test_retrieval_and_collapse_are_drawn_by_default():
    run = {
        'lr': [(1, 1e-3)],
        'collapse/std': [(2, 0.3)],
        'retrieval/raw_joints_top1': [(0, 0.7)],
        'retrieval/fused_top1': [(0, 0.4), (2, 0.8)],
        'retrieval/bone_top1': [(0, 0.2), (2, 0.5)],
        'acc/top5': [(2, 0.9)],
        'loss_cov': [(1, 2.), (2, 1.)],
    }
    names = choose_names([run], [])
    assert names == ['loss_cov', 'retrieval/fused_top1', 'retrieval/bone_top1',
                     'collapse/std']
    figure = draw_curves({'mine': run}, names)
    panels = dict(zip(names, figure.axes))
    for name, dotted in (('retrieval/fused_top1', 1), ('collapse/std', 0),
                         ('retrieval/bone_top1', 1), ('loss_cov', 0)):
        lines = [line for line in panels[name].get_lines()
                 if line.get_linestyle() == ':']
        assert len(lines) == dotted, name
        assert all(set(line.get_ydata()) == {0.7} for line in lines)
    assert (panels['retrieval/fused_top1'].get_ylim() ==
            panels['retrieval/bone_top1'].get_ylim())
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        'mine', 'raw joints']


@pytest.mark.parametrize('epochs', [1, 3, 30])
def test_ticks_are_whole_epochs(epochs):
    points = [(step, 1.) for step in range(1, 2 * epochs + 1)]
    run = dict(loss=points, epoch=[(step, (step + 1) // 2)
                                   for step, _ in points])
    figure = draw_curves({'mine': run}, ['loss'], by_epoch=True)
    figure.canvas.draw()
    ticks = figure.axes[0].get_xticks()
    assert len(ticks) and all(tick == round(tick) for tick in ticks)


# Feature maps


def test_a_caption_is_broken_to_the_width():
    figure = draw_feature_map({'fused: 1-NN 50.0 %': np.eye(3)[:, :2]},
                              [0, 0, 1], {0: 'sit', 1: 'run'},
                              'short\n' + 'many words ' * 20)
    first, *rest = figure.get_suptitle().splitlines()
    assert first == 'short' and len(rest) > 1
    assert draw_feature_map({'a': np.eye(3)[:, :2]}, [0, 0, 0],
                            {0: 'sit'}).get_suptitle() == ''


def test_layouts_on_the_plane():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12, 8)).astype(np.float32)
    np.testing.assert_array_equal(
        flatten(features, 'pca'),
        PCA(n_components=2, random_state=0).fit_transform(features))
    layout = flatten(features, 'tsne', seed=1)
    assert layout.shape == (12, 2) and np.isfinite(layout).all()
    np.testing.assert_array_equal(layout, flatten(features, 'tsne', seed=1))
    with pytest.raises(ValueError, match='2 clips are too few'):
        flatten(features[:2], 'pca')


def test_points_have_the_colors_and_markers_of_their_class():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, 60)
    maps = {name: rng.normal(size=(60, 2)) for name in ('fused', 'joint')}
    names = {k: f'name {k}' for k in range(12)}
    figure = draw_feature_map(maps, labels, names)
    looks = set()
    for axes, (title, points) in zip(figure.axes, maps.items()):
        assert axes.get_title() == title
        for k, dots in enumerate(axes.collections):
            assert dots.get_label() == f'name {k}'
            np.testing.assert_array_equal(dots.get_offsets(),
                                          points[labels == k])
            looks.add((*dots.get_facecolors()[0],
                       dots.get_paths()[0].vertices.tobytes()))
    assert len(looks) == 12
    [legend] = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == list(names.values())


def test_clips_of_the_classes_are_drawn_by_the_seed():
    labels = [0, 1, 2, None] * 10
    chosen = choose_clips(labels, [2, 0], 4, seed=0)
    assert sorted(labels[i] for i in chosen) == [0] * 4 + [2] * 4
    assert chosen == sorted(set(chosen)) == choose_clips(labels, [2, 0], 4, 0)
    assert chosen != choose_clips(labels, [2, 0], 4, seed=1)
    # Other classes do not change the draw.
    assert [i for i in chosen if labels[i] == 0] == choose_clips(
        labels, [0], 4, 0)
    assert len(choose_clips(labels, [1], 99, 0)) == 10
    with pytest.raises(ValueError, match='no clip is of class 7'):
        choose_clips(labels, [7], 4, 0)
