import re
from dataclasses import replace
from types import SimpleNamespace

import mmengine
import numpy as np
import pytest
from conftest import REPO
from mmaction.datasets.transforms import PreNormalize2D
from mmaction.registry import DATASETS
from PIL import Image
from tools_loading import load_script

from umurl_mmaction.datasets.inspection import (
    class_counts,
    clips_of_splits,
    find_all,
    find_copies,
    find_in_splits,
    layout_by_joints,
    line_of,
    units_of,
    up_axis,
)
from umurl_mmaction.datasets.inspection.measure import measure_set
from umurl_mmaction.datasets.inspection.splits import split_pairs
from umurl_mmaction.datasets.inspection.steps import measure_steps
from umurl_mmaction.datasets.transforms import (
    SkeletonPreNormalize,
    SkeletonPreNormalize2D,
)
from umurl_mmaction.engine.hooks import InspectDataHook
from umurl_mmaction.fileio.annotations import (
    load_annotations,
    save_annotations,
)
from umurl_mmaction.skeleton.layout import LAYOUTS
from umurl_mmaction.visualization.normalization import (
    PosePair,
    draw_normalization,
)

KINECT = LAYOUTS['kinect-v1']
REVERSED = replace(KINECT, name='mine', shoulders=(8, 4))
# Faces a Kinect: x to the sensor's left, which is the person's right; y up;
# z away from the sensor.
POSE = np.array([
    [0, 0, 0], [0, .2, 0], [0, .5, 0], [0, .7, 0],  # trunk
    [-.2, .5, 0], [-.25, .2, .05], [-.25, 0, -.05], [-.25, -.1, -.1],
    [.2, .5, 0], [.25, .2, .05], [.25, 0, -.05], [.25, -.1, -.1],
    [-.1, 0, 0], [-.1, -.4, -.05], [-.1, -.8, 0], [-.1, -.85, -.15],
    [.1, 0, 0], [.1, -.4, -.05], [.1, -.8, 0], [.1, -.85, -.15]])  # yapf: off


def clips_of(count=24, seed=0):
    """People who stand at different places, turned a little, with noise."""
    rng = np.random.default_rng(seed)
    clips = []
    for i in range(count):
        turn = rng.uniform(-0.6, 0.6)
        cos, sin = np.cos(turn), np.sin(turn)
        pose = POSE @ [[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]
        noise = rng.normal(scale=0.01, size=(1, 12, 20, 3))
        keypoint = pose + noise + rng.uniform((-1, 0, 2), (1, 1, 4))
        clips.append(
            dict(
                frame_dir=f'clip{i}',
                label=i % 3,
                total_frames=12,
                keypoint=keypoint.astype(np.float32)))
    return clips


def changed(change, layout=KINECT):
    """The findings once each clip is changed."""
    clips = [dict(clip, keypoint=change(clip['keypoint'].copy()))
             for clip in clips_of()]
    normalize = SkeletonPreNormalize(layout=layout)
    return find_all(measure_set(clips, layout, normalize))


def spoil(**parts):
    """Set some frames and joints to 0."""

    def change(keypoint):
        keypoint[:, parts.get('frames', slice(None)),
                 parts.get('joints', slice(None))] = 0
        return keypoint

    return change


def jump(keypoint):
    keypoint[:, 6:] += 2
    return keypoint


def test_nothing_is_found_in_clean_clips():
    assert changed(lambda keypoint: keypoint) == []


@pytest.mark.parametrize('change, text', [
    (lambda x: x[:, :, list(KINECT.mirrored)],
     'sides: the joints that the layout calls left are on the right side of '
     'the body in 100 %'),
    (lambda x: x * [-1, 1, 1], 'sides: .* or one axis is mirrored'),
    (lambda x: 1000 * x, 'units: .* wanted are metres .* look like '
     'millimetres'),
    (lambda x: np.concatenate([300 * x[..., :2], 0 * x[..., 2:] + .9], -1),
     'units: .* pixels with a score, no depth'),
    (lambda x: 8 * x, r'units: a person spans 1\d\.?\d*, wanted are metres'),
    (spoil(frames=slice(3)), r'empty frames: 72 of 288 .*\(25 %\)'),
    (spoil(joints=3), r'empty joints: 3 \(head\) missing in 100 %'),
    (jump, 'jumps: in 24 of 24 clips'),
    (lambda x: x + np.ones(3, 'f4') * POSE[::-1].astype('f4') * 3,
     'up: |units: '),
], ids=['swapped', 'mirrored', 'millimetres', 'score', 'no unit', 'frames',
         'joints', 'jumps', 'joint order'])  # yapf: disable
def test_what_is_odd_is_named(change, text):
    assert [x for x in changed(change) if re.match(text, x.text)]


@pytest.mark.parametrize('step, found', [
    (SkeletonPreNormalize2D(), 1),
    (SkeletonPreNormalize2D(scale_by='body'), 0),
    # Metres without depth, as of the 2D configs of UTD-MHAD.
    (SkeletonPreNormalize(layout=KINECT), 0),
])
def test_an_image_divides_pixels_only(step, found):
    clips = [dict(x, keypoint=x['keypoint'][..., :2]) for x in clips_of()]
    findings = find_all(measure_steps(clips, [step], (), KINECT))
    assert sum('no pixels: ' in x.text for x in findings) == found


def test_millimetres_and_pixels_are_told_apart():
    clips = clips_of()
    for factor, coords, unit in ((1, 3, 'metres'), (100, 3, 'centimetres'),
                                 (1000, 3, 'millimetres'), (300, 2, 'pixels'),
                                 (0.3, 2, 'shares'), (9, 3, 'unknown')):
        scaled = [dict(x, keypoint=factor * x['keypoint'][..., :coords])
                  for x in clips]
        assert units_of(measure_set(scaled, KINECT)) == unit


@pytest.mark.parametrize('order, sign, up', [((0, 1, 2), 1, 'y'),
                                             ((0, 2, 1), 1, 'z'),
                                             ((0, 1, 2), -1, '-y')])
def test_up_is_found(order, sign, up):
    clips = [dict(x, keypoint=sign * x['keypoint'][..., list(order)])
             for x in clips_of()]
    assert up_axis(measure_set(clips, KINECT)) == up


def test_reversed_shoulders_are_refused_with_the_right_order():
    found = changed(lambda x: x, REVERSED)
    assert [x.refused for x in found] == [True]
    assert found[0].text.startswith(
        "shoulders: [8, 4] (right_shoulder, left_shoulder) of the layout "
        "'mine' point to -x in 100 %")
    assert 'shoulders=[4, 8] (left_shoulder, right_shoulder) is meant' in \
        found[0].text


def test_joints_that_are_no_bodies_are_warned_of_but_not_refused():
    """As random poses, of which many point to -x by chance."""
    rng = np.random.default_rng(0)

    def scramble(keypoint):
        pose = rng.normal(size=keypoint.shape[-2:])
        pose[4] = pose[8] - [1, 0, 0]
        return np.broadcast_to(pose, keypoint.shape).astype(np.float32)

    found = changed(scramble, REVERSED)
    assert found[0].text.startswith('shoulders: [8, 4]')
    assert not any(x.refused for x in found)


def test_a_share_of_reversed_shoulders_is_warned_of_but_not_refused():
    clips = clips_of()
    for i, clip in enumerate(clips):
        if i % 5 < 2:  # 40 % have the others' backs
            clip['keypoint'] = clip['keypoint'] * np.float32([-1, 1, -1])
    found = find_all(
        measure_set(clips, REVERSED, SkeletonPreNormalize(layout=REVERSED)))
    assert 'point to -x in 58 %' in found[0].text
    assert not found[0].refused


def test_a_turn_that_keeps_bodies_upright_is_not_refused():
    clips = clips_of()
    measures = measure_set(clips, REVERSED, lambda clip: clip)
    assert find_all(measures) == []


@pytest.mark.parametrize('rotation', ['vertical', 'none'])
def test_reversed_shoulders_are_taken_without_a_turn_about_noise(rotation):
    clips = clips_of()
    step = SkeletonPreNormalize(layout=REVERSED, rotation=rotation)
    assert find_all(measure_steps(clips, [step], [], None)) == []


def test_2d_bodies_need_no_unit_and_a_score_is_no_depth():
    flat = SkeletonPreNormalize2D()
    by_body = SkeletonPreNormalize2D(scale_by='body')
    shares = [dict(x, keypoint=x['keypoint'][..., :2] / 9)
              for x in clips_of()]
    found, = [x.text for x in find_all(
        measure_steps(shares, [flat], [], KINECT)) if 'units' in x.text]
    assert found.endswith("its scale_by='body'")
    scored = [
        dict(x, keypoint=np.concatenate([
            300 * x['keypoint'][..., :2], 0 * x['keypoint'][..., 2:] + .9], 3))
        for x in clips_of()]
    for clips in (shares, scored):
        assert not [x for x in find_all(
            measure_steps(clips, [by_body], [], KINECT)) if 'units' in x.text]
    assert not [x for x in find_all(
        measure_steps(scored, [flat], [], KINECT)) if 'units' in x.text]


def test_2d_pixels_that_nothing_scales_are_named():
    pixels = [dict(x, keypoint=960 + 300 * x['keypoint'][..., :2])
              for x in clips_of()]

    def units(clips, prepare, pipeline=()):
        measures = measure_steps(clips, prepare, pipeline, KINECT)
        return [x.text for x in find_all(measures) if 'units' in x.text]

    centred = SkeletonPreNormalize()
    for steps in ([], [centred]), ([centred], []), ([], []):
        found, = units(pixels, *steps)
        assert found.endswith('these look like pixels, and nothing scales '
                              'them; wanted is SkeletonPreNormalize2D in '
                              'prepare')

    def own(results):
        return dict(results, keypoint=results['keypoint'] / 960 - 1)

    flat, by_body = (SkeletonPreNormalize2D(scale_by=x)
                     for x in ('image', 'body'))
    for steps in (([flat], []), ([by_body], []), ([], [flat]),
                  ([], [PreNormalize2D()]), ([own], []),
                  ([SkeletonPreNormalize(scale=150.)], []),
                  ([], [SkeletonPreNormalize(scale=150.)])):
        assert units(pixels, *steps) == []
    metres = [dict(x, keypoint=x['keypoint'][..., :2]) for x in clips_of()]
    assert not [x for x in units(metres, [centred]) if 'pixels, and' in x]
    # Nobody is in them.
    empty = [dict(x, keypoint=0 * x['keypoint']) for x in pixels]
    assert not [x for x in units(empty, [centred]) if 'pixels, and' in x]


def test_a_scale_settles_the_unit():
    clips = [dict(x, keypoint=1000 * x['keypoint']) for x in clips_of()]
    step = SkeletonPreNormalize(layout=KINECT)
    found, = find_all(measure_steps(clips, [step], [], None))
    assert re.search(r'to become 1, such as 50\d\.\d, a torso$', found.text)
    step = SkeletonPreNormalize(layout=KINECT, scale=500.)
    measures = measure_steps(clips, [step], [], None)
    assert find_all(measures) == []
    assert re.search('millimetres; .*; a torso is 500$', line_of(measures))
    # A scale for another unit.
    step = SkeletonPreNormalize(layout=KINECT, scale=0.5)
    assert find_all(measure_steps(clips, [step], [], None))


def test_shoulders_count_where_the_normalisation_meets_them():
    """A transform before it may turn the axes."""

    def turn(results):
        return dict(results, keypoint=results['keypoint'] * [-1, 1, -1])

    clips, normalize = clips_of(), SkeletonPreNormalize(layout=REVERSED)
    assert find_all(measure_steps(clips, [normalize], [], None))
    assert not find_all(measure_steps(clips, [turn, normalize], [], None))
    np.testing.assert_equal(clips, clips_of())


def test_copies_are_found_moved_or_not():
    clips = [x['keypoint'] for x in clips_of()]
    others = [x['keypoint'] for x in clips_of(seed=1)]
    moved = clips[5] + np.float32([1, 2, 3])
    late = clips[7].copy()
    late[:, 8] += 0.1
    late[:, 8, 4] += 0.1
    copies = find_copies([others[0], clips[2], moved, late], clips)
    assert copies == (4, [(1, 2)], [(2, 5)])
    zeros = np.zeros_like(clips[0])
    assert find_copies([zeros], [zeros]) == (1, [], [])


def test_splits_are_paired_by_name():
    assert split_pairs(['train', 'val', 'a_train', 'a_val_clean', 'test']) \
        == [('train', 'val'), ('train', 'test'), ('a_train', 'a_val_clean')]
    assert split_pairs(['left', 'right']) == [('left', 'right')]


def test_a_class_without_training_clips_is_named():
    clips = clips_of(9)
    assert class_counts(clips) == '3 classes of 3 to 3 clips'
    found = find_in_splits(dict(train=clips[::3], val=clips[1::3]))
    assert [x.text for x in found] == [
        "classes: [1] of 'val' have no clip in 'train'"]


@pytest.mark.shared
@pytest.mark.parametrize('name, lines', [
    ('gtu3d', 0), ('utd_mhad', 0), ('msrc12', 0), ('nw_ucla', 1)])
def test_real_recordings(shared, name, lines):
    data = load_annotations(shared(f'data/{name}.pkl'))
    clips = data['annotations']
    layout = layout_by_joints(clips[0]['keypoint'].shape[2])
    right = SkeletonPreNormalize(layout=layout)
    wrong = SkeletonPreNormalize(
        layout=replace(layout, shoulders=layout.shoulders[::-1]))
    assert find_all(measure_steps(clips, [right], [], None, 64)) == []
    found = find_all(measure_steps(clips, [wrong], [], None, 64))
    assert [x.refused for x in found] == [True]
    assert 'shoulders=[4, 8]' in found[0].text
    splits = clips_of_splits(data)
    if name == 'msrc12':  # a tenth, for time
        splits = {key: some[::10] for key, some in splits.items()}
    found = find_in_splits(splits, layout.center)
    assert len(found) == lines
    for finding in found:
        assert finding.text.startswith(
            "copies: 95 of 464 clips of 'val' are in 'train' as well (95 "
            'equal to the bit')


def test_the_synthetic_set_is_clean(tmp_path):
    path = tmp_path / 'synthetic.pkl'
    load_script(REPO / 'tools/data/make_synthetic.py').main(
        [str(path), '--subjects', '4', '--repeats', '1'])
    clips = load_annotations(path)['annotations']
    assert find_all(measure_steps(clips, [SkeletonPreNormalize()], [],
                                  LAYOUTS['nturgb+d'])) == []


def write(path, layout=KINECT, copies=0):
    clips = clips_of()
    for i in range(copies):
        moved = clips[i]['keypoint'] + np.float32([1, 0, 0])
        clips[18 + i]['keypoint'] = moved
    names = [clip['frame_dir'] for clip in clips]
    mmengine.dump(
        dict(
            split=dict(train=names[:18], val=names[18:]),
            annotations=clips,
            skeleton=layout.to_dict()), str(path))
    return path


def train_on(path, **settings):
    """Let the hook see the sets of a training."""
    loops = []
    for split in ('train', 'val'):
        dataset = DATASETS.build(dict(
            type='SkeletonDataset', ann_file=str(path), split=split,
            prepare=[dict(type='SkeletonPreNormalize')], pipeline=[],
            test_mode=split == 'val'))
        loops.append(SimpleNamespace(
            dataloader=SimpleNamespace(dataset=dataset)))
    runner = SimpleNamespace(train_loop=loops[0], val_loop=loops[1])
    InspectDataHook(**settings).before_train(runner)


def test_training_logs_a_line_for_each_finding(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'umurl_mmaction.engine.hooks.inspect_data_hook.print_log',
        lambda line, *args: lines.append(line))
    train_on(write(tmp_path / 'mine.pkl', copies=2))
    assert len(lines) == 2
    assert 'metres; y is up; shoulders point to -x in 0 %' in lines[0]
    assert "copies: 2 of 6 clips of 'val' are in 'train'" in lines[1]


def test_training_refuses_reversed_shoulders_without_consent(tmp_path):
    path = write(tmp_path / 'mine.pkl', REVERSED)
    with pytest.raises(ValueError, match=r'shoulders=\[4, 8\] .* is meant'):
        train_on(path)
    train_on(path, allow_reversed_shoulders=True)


def test_tool_reports_and_draws(tmp_path, capsys):
    tool = load_script(REPO / 'tools/data/inspect_annotations.py')
    out = tmp_path / 'mine.png'
    path = write(tmp_path / 'mine.pkl', REVERSED, copies=1)
    tool.main([str(path), '--out', str(out)])
    report, bar = capsys.readouterr()
    assert '>>' not in bar  # it is for terminals
    assert 'split val: 6 clips, 3 classes of 2 to 2 clips' in report
    assert '! shoulders: [8, 4]' in report
    assert 'is meant (a training refuses this)' in report
    assert ("! copies: 1 of 6 clips of 'val' are in 'train' as well (0 "
            'equal to the bit, 1 after centring)') in report
    assert out.stat().st_size > 10000
    # The order that a config or --skeleton gives is what counts.
    tool.main([str(path), '--skeleton', 'kinect-v1', '--out', str(out)])
    assert 'shoulders: [8, 4]' not in capsys.readouterr().out


@pytest.mark.parametrize('with_score', [False, True])
def test_tool_draws_pixels_with_a_score(tmp_path, capsys, with_score):
    tool = load_script(REPO / 'tools/data/inspect_annotations.py')
    path, out = write(tmp_path / 'mine.pkl'), tmp_path / 'mine.png'
    data = load_annotations(path)
    for clip in data['annotations']:
        clip['keypoint'] = 400 - 100 * clip['keypoint']
        clip['keypoint'][..., 2] = 0.9
    save_annotations(data, path)
    tool.main([
        str(path), '--skeleton', 'kinect-v1', '--out', str(out), '--config',
        str(REPO / 'configs/umurl/pretrain/'
            'umurl_4xb128-451e_ntu60-xsub-keypoint-2d.py'), '--cfg-options',
        f'train_dataloader.dataset.prepare.0.with_score={with_score}'
    ])
    assert '! units' not in capsys.readouterr().out
    # One picture of x and y before, and one after.
    width, height = Image.open(out).size
    assert width / height == pytest.approx(2 / 3, abs=0.01)


def test_a_normalisation_may_drop_a_coordinate():
    raw = clips_of(1)[0]['keypoint'][:, 0]
    figure = draw_normalization([PosePair('clip', raw, raw[..., :2])], KINECT,
                                'y', ('metres', 'metres'))
    assert [axes.get_title() for axes in figure.axes] == [
        'clip: as annotated', 'clip: as annotated', 'clip: normalised']
    assert figure.axes[2].get_ylabel() == 'y (metres)'


def test_tool_looks_at_pixels_of_a_skeleton_that_is_not_known(tmp_path,
                                                              capsys):
    tool = load_script(REPO / 'tools/data/inspect_annotations.py')
    path = tmp_path / 'mine.pkl'
    clips = [dict(x, keypoint=400 + 100 * x['keypoint'][:, :, :13, :2])
             for x in clips_of()]
    save_annotations(dict(annotations=clips), path)
    tool.main([str(path)])
    report = capsys.readouterr().out
    assert ', pixels; ' in report and '! units' not in report
    assert 'no picture: it needs a skeleton' in report


def test_tool_names_what_it_cannot_read(tmp_path, capsys):
    tool = load_script(REPO / 'tools/data/inspect_annotations.py')
    with pytest.raises(SystemExit) as ended:
        tool.main([str(tmp_path / 'none.pkl')])
    assert ended.value.code == 2
    assert 'No such file' in capsys.readouterr().err
