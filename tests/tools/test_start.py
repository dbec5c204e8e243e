"""`start`: configs for exactly the clips of a file."""
import csv
import pickle
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REPO, make_annotations
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from tools_loading import load_script, refusal

import umurl_mmaction.__main__ as entry
from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.apis.experiment import Sizes
from umurl_mmaction.apis.loading import load_config
from umurl_mmaction.fileio.annotations import load_annotations
from umurl_mmaction.skeleton.layout import LAYOUTS


@pytest.fixture(scope='module')
def tool():
    return load_script(REPO / 'tools' / 'start.py')


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(change=None, name='mine.pkl', **settings):
    """A tiny set of 20 joints, as the file that a user has."""
    data = make_annotations(**dict(dict(num_joints=20), **settings))
    if change:
        change(data)
    with open(name, 'wb') as file:
        pickle.dump(data, file)
    return name


def configs():
    """The configs in `mine`, by what they are for."""
    return {
        path.stem.partition('_')[2]: Config.fromfile(path)
        for path in sorted(Path('mine').iterdir())
    }


def shrink(cfg):
    """Tiny, and two steps long."""
    cfg.model.backbone.embed_dims = 8
    for part in ('neck', 'cls_head'):
        if part in cfg.model:
            cfg.model[part].update(in_channels=16)
    if 'neck' in cfg.model:
        cfg.model.neck.out_channels = 8
    loaders = [cfg[x] for x in cfg if x.endswith('_dataloader')]
    for loader in [*loaders, cfg.model.get('gallery')]:
        if loader:
            loader.update(
                batch_size=4, num_workers=0, persistent_workers=False)
    if 'train_cfg' in cfg:
        steps = cfg.train_cfg.type == 'PassesTrainLoop'
        cfg.train_cfg['max_iters' if steps else 'max_epochs'] = 2
    return cfg


def test_from_2d_keypoints_to_an_accuracy(tool, tmp_path, capsys):
    """In 3D, the tests of `custom_clips.py` do it."""

    def to_pixels(data):
        for clip in data['annotations']:
            clip['keypoint'] = 960 + 200 * clip['keypoint']

    save(to_pixels, num_joints=17, coords=2)
    tool.main(['mine.pkl', '--layout', 'coco'])
    printed = capsys.readouterr().out.splitlines()
    checkpoint = 'work_dirs/mine_pretrain/iter_3000.pth'
    assert [line.strip() for line in printed[-3:]] == [
        'mim train umurl_mmaction mine/mine_pretrain.py',
        'mim train umurl_mmaction mine/mine_probe.py',
        'mim test umurl_mmaction mine/mine_retrieve.py --checkpoint '
        + checkpoint]
    for path in (tmp_path / 'mine').iterdir():
        assert max(map(len, path.read_text().splitlines())) < 80
    written = configs()
    assert written['probe'].load_from == checkpoint
    assert written['probe'].model.cls_head.num_classes == 3
    for cfg in written.values():
        assert cfg.model.backbone.graph_cfg == dict(layout='coco')
        assert cfg.model.backbone.num_person == 2
        assert cfg.model.backbone.in_channels == 2

    def build(name, **changes):
        cfg = shrink(written[name])
        cfg.update(
            work_dir='work', experiment_name=f'{tmp_path.name}-{name}',
            **changes)
        return Runner.from_cfg(cfg)

    build('pretrain').train()
    knn = build('retrieve', load_from='work/iter_2.pth')
    assert knn.test()['acc/top1'] >= 0.5
    probe = build('probe', load_from='work/iter_2.pth')
    probe.train()
    assert probe.val_loop.run()['acc/top1'] >= 0


@pytest.mark.parametrize('change, last', [
    (None, 'test'), (lambda data: data.pop('split'), 'run')])
def test_commands_run_where_names_have_blanks(tool, capsys, change, last):
    name = save(change, name='my clips.pkl')
    tool.main([name, '--layout', 'kinect-v1'])
    train, _, final = (shlex.split(line) for line
                       in capsys.readouterr().out.splitlines()[-3:])
    assert train == ['mim', 'train', 'umurl_mmaction',
                     'my clips/my_clips_pretrain.py']
    assert final[1] == last and 'my clips/my_clips_retrieve.py' in final
    assert (name in final) == (last == 'run')


def test_what_the_file_says_is_taken_from_it(tool, capsys):
    skeleton = dict(
        joints=list('abcde'), parents=[-1, 0, 1, 1, 1], name='five')
    save(lambda data: data.update(skeleton=skeleton), num_joints=5)
    tool.main(['mine.pkl'])
    for cfg in configs().values():
        assert cfg.model.backbone.ann_file == 'mine.pkl'
        assert 'graph_cfg' not in cfg.model.backbone


@pytest.mark.parametrize('change, reason, queries', [
    (lambda data: [x.pop('label') for x in data['annotations']],
     'not all clips have labels', 'val'),
    (lambda data: data['annotations'][3].pop('label'),
     'not all clips have labels', 'val'),
    (lambda data: data['split'].pop('val'), 'no split to test on', 'train'),
    (lambda data: data['split'].update(val=['clip012.mp4']),
     'no split to test on', 'train'),
    (lambda data: data.pop('split'), 'no split to test on', None),
])
def test_neighbours_where_nothing_can_be_tested(tool, tmp_path, capsys, change,
                                                reason, queries):
    """From clips without labels to an encoder and nearest clips."""
    name = save(change)
    tool.main([name, '--layout', 'kinect-v1'])
    written = configs()
    assert list(written) == ['pretrain', 'retrieve']
    assert written['retrieve'].test_dataloader.dataset.split == queries
    printed = capsys.readouterr().out
    assert 'no accuracies: ' in printed and reason in printed
    use = 'mine/mine_retrieve.py work_dirs/mine_pretrain/iter_3000.pth'
    assert [line.strip() for line in printed.splitlines()[-3:]] == [
        'mim train umurl_mmaction mine/mine_pretrain.py',
        f'mim run umurl_mmaction extract_features {use} --out features.npz',
        f'mim run umurl_mmaction predict {use} mine.pkl --num-nearest 3'
    ]
    cfg = shrink(written['pretrain'])
    cfg.update(work_dir='work', experiment_name=f'{tmp_path.name}-neighbours')
    Runner.from_cfg(cfg).train()
    inferencer = UmURLInferencer(
        shrink(written['retrieve']), 'work/iter_2.pth', device='cpu',
        num_nearest=2)
    clip = load_annotations(name)['annotations'][0]
    found = inferencer([clip['keypoint']])
    assert found['nearest_names'][0, 0] == clip['frame_dir']
    assert found['similarities'][0, 0] == pytest.approx(1)
    assert ('labels' in found) == (reason != 'not all clips have labels')
    with open('classes.txt', 'w') as file:
        file.write('a\nb\nc\n')
    shrink(written['retrieve']).dump('small.py')
    load_script(REPO / 'tools/predict.py').main([
        'small.py', 'work/iter_2.pth', name, '--device', 'cpu',
        '--num-nearest', '2', '--classes', 'classes.txt', '--out', 'table.csv'
    ])
    with open('table.csv') as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(load_annotations(name)['annotations'])
    assert table[0]['nearest_1'] == table[0]['name'] == clip['frame_dir']
    assert ('label' in table[0]) == ('labels' in found)


def test_a_guessed_layout_is_said(tool, capsys):
    save(num_joints=15)
    tool.main(['mine.pkl'])
    guess, = [x for x in capsys.readouterr().out.splitlines()
              if x.startswith('! layout: ')]
    assert "what its 15 joints are; they are taken for 'sbu' (head, " in guess
    tool.main(['mine.pkl', '--layout', 'sbu', '--out', 'named'])
    assert '! layout' not in capsys.readouterr().out


def test_names_without_a_clip_are_counted(tool, capsys):
    save(lambda data: data['split']['val'].append('lost'))
    tool.main(['mine.pkl', '--layout', 'msr'])
    assert '; 1 of its names have no clip\n' in capsys.readouterr().out


def test_other_splits(tool):
    def rename(data):
        data['split'] = dict(
            train=data['split']['val'], val=data['split']['train'],
            a_train=data['split']['train'], a_val=data['split']['val'])
    save(rename)
    tool.main(['mine.pkl', '--layout', 'msr', '--train', 'a_train'])
    written = configs()
    assert written['pretrain'].train_dataloader.dataset.split == 'a_train'
    assert written['retrieve'].model.gallery.dataset.split == 'a_train'
    assert written['retrieve'].test_dataloader.dataset.split == 'a_val'
    for cfg in written.values():
        assert cfg.model.backbone.graph_cfg == dict(layout='msr')


def leak(data):
    """Two of three pairs of splits share clips."""
    for clip in data['annotations']:
        clip.pop('img_shape', None)
    train, val = data['split']['train'], data['split']['val']
    copy = dict(data['annotations'][0], frame_dir='copy')
    copy['keypoint'] = copy['keypoint'] + np.float32(.5)
    data['annotations'].append(copy)
    data['split'] = dict(
        train=train, val=[*val, 'copy'], val_clean=val, a_train=train[2:],
        a_val=val[1:], b_train=train[2:], b_val=val[1:])


def test_splits_that_share_no_clip_are_preferred(tool, capsys):
    save(leak)
    tool.main(['mine.pkl', '--layout', 'kinect-v1'])
    printed = capsys.readouterr().out
    assert '! copies' not in printed
    why = ("'train' and 'val' come first in the file, but copies: 1 of 7 "
           "clips of 'val' are in 'train' as well (0 equal to the bit, 1 "
           'after centring)')
    assert f"trained on 'a_train', tested on 'a_val': {why}\n" in printed
    assert why in ' '.join(Path('mine/mine_probe.py').read_text().replace(
        '#', '').split())
    written = configs()
    assert written['pretrain'].train_dataloader.dataset.split == 'a_train'
    assert written['probe'].val_dataloader.dataset.split == 'a_val'


@pytest.mark.parametrize('argv, pair, found', [
    (['--train', 'train'], ('train', 'val_clean'), 0),
    (['--test', 'val'], ('train', 'val'), 1),
    # Named by hand, though their names do not go together.
    (['--train', 'a_train', '--test', 'val'], ('a_train', 'val'), 0),
    (['--train', 'train', '--test', 'val'], ('train', 'val'), 1)])
def test_splits_that_are_named(tool, capsys, argv, pair, found):
    save(leak)
    tool.main(['mine.pkl', '--layout', 'kinect-v1', *argv])
    printed = capsys.readouterr().out
    assert f'trained on {pair[0]!r}, tested on {pair[1]!r}' in printed
    assert printed.count('! copies: 1 of 7') == found


def test_copies_in_splits_whose_names_do_not_go_together(tool, capsys):
    def change(data):
        leak(data)
        data['split'] = dict(
            b_train=data['split']['train'], val=data['split']['val'])
    save(change)
    tool.main(['mine.pkl', '--layout', 'msr', '--train', 'b_train', '--test',
               'val'])
    assert "! copies: 1 of 7 clips of 'val' are in 'b_train'" in (
        capsys.readouterr().out)


def mapped(change):
    def apply(data):
        for clip in data['annotations']:
            clip['keypoint'] = change(clip['keypoint']).astype('f')
            clip.pop('img_shape', None)
    return apply


@pytest.mark.parametrize('change, step', [
    (lambda x: x / 3, dict(type='SkeletonPreNormalize')),
    (lambda x: 1000 * x / 3, dict(type='SkeletonPreNormalize', scale=1)),
    (lambda x: 900 + 200 * x[..., :2],
     dict(type='SkeletonPreNormalize2D', scale_by='body')),
    (lambda x: x[..., :2] / 9,
     dict(type='SkeletonPreNormalize2D', scale_by='body')),
    # The third coordinate is a score.
    (lambda x: np.concatenate([900 + 200 * x[..., :2], 0 * x[..., 2:] + .5],
                              -1),
     dict(type='SkeletonPreNormalize2D', scale_by='body')),
], ids=['metres', 'millimetres', 'pixels', 'shares', 'score'])
def test_the_normalisation_suits_the_unit(tool, capsys, request, change,
                                          step):
    step_id = request.node.callspec.id
    save(mapped(change))
    tool.main(['mine.pkl', '--layout', 'kinect-v1'])
    cfg = configs()['retrieve']
    found, = cfg.test_dataloader.dataset.prepare
    found.pop('layout', None)
    if 'scale' in step:
        # A torso of the random poses, in thousandths.
        assert 100 < found.scale < 2000
        found.scale = 1
    assert found == step
    flat = step['type'].endswith('2D')
    assert cfg.model.backbone.in_channels == (2 if flat else 3)
    printed = capsys.readouterr().out
    assert '! units' not in printed
    unit = 'pixels' if step_id == 'score' else step_id
    assert re.search(f'clips looked at: a person spans .*, {unit};', printed)
    assert ('normalisation: ' in printed) and (
        'The unit is not the metre' in printed) == ('scale' in step)


@pytest.mark.parametrize('axis, sign, up', [(1, 1, 'y'), (1, -1, 'y'),
                                            (2, 1, 'z'), (2, -1, 'z')])
def test_views_turn_about_the_axis_that_is_up(tool, capsys, axis, sign, up):
    high = np.array([bool(re.search('head|shoulder', name))
                     for name in LAYOUTS['kinect-v1'].joints])
    upwards = sign * np.outer(high, np.eye(3)[axis])
    save(mapped(lambda x: x / 10 + upwards))
    tool.main(['mine.pkl', '--layout', 'kinect-v1'])
    named = ('-' if sign < 0 else '') + 'xyz'[axis]
    assert f'; {named} is up' in capsys.readouterr().out
    text = Path('mine/mine_pretrain.py').read_text()
    assert max(map(len, text.splitlines())) < 80
    # Only what differs from the base is said.
    assert ("up='z'" in text) == ('plus_views' in text) == (up == 'z')
    cfg = configs()['pretrain']
    assert cfg.model.backbone.embed_dims == 128
    # Configs that inherit from it and change the views start from these.
    views = cfg.model.data_preprocessor.views
    assert cfg.plus_views.transforms == views.transforms
    views = MODELS.build(cfg.model.data_preprocessor).views
    steps = views.pipelines[0].transforms
    assert [type(step).__name__ for step in steps] == [
        'TemporalCropResize', 'RandomChoice', 'PoseRotation']
    assert (steps[2].angle, steps[2].up) == (0.5, up)


def test_joints_that_nobody_saw(tool):
    def lose(data):
        data['annotations'][0]['keypoint'][0, 0, 0] = np.nan
    save(lose)
    tool.main(['mine.pkl', '--layout', 'msr'])
    for cfg in configs().values():
        name = 'train' if 'train_dataloader' in cfg else 'test'
        assert cfg[f'{name}_dataloader'].dataset.nonfinite == 'missing'


@pytest.mark.parametrize('settings, argv, message', [
    (dict(num_joints=20), (), 'wanted is --layout kinect-v1 or msr'),
    (dict(num_joints=19), (), '19 joints, as no known layout has'),
    (dict(num_joints=20), ('--layout', 'coco'), 'kinect-v1 or msr has as '
     'many'),
    (dict(num_joints=20), ('--layout', 'kinect'), "unknown layout 'kinect'"),
    (dict(num_joints=15), ('--train', 'xsub'), "there is no split 'xsub'; "
     'known are: train, val'),
    (dict(num_joints=15, coords=4), (), 'wanted are 2 or 3 coordinates'),
    (dict(num_joints=15), ('--out', '.'), '. is there already'),
    (dict(num_joints=15, num_train=1), (), "split 'train' has one clip"),
    (dict(num_joints=15, num_train=1, num_val=0, change=lambda data: data.pop(
        'split')), (), 'mine.pkl: it has one clip'),
])
def test_refused_in_one_line(tool, folder, capsys, settings, argv, message):
    save(**settings)
    assert message in refusal(tool, capsys, 'mine.pkl', *argv)
    assert [path.name for path in folder.iterdir()] == ['mine.pkl']


def test_the_command_of_the_package(tool, monkeypatch, capsys):
    save(num_joints=15)
    monkeypatch.setattr('sys.argv', ['umurl_mmaction', 'start', 'mine.pkl'])
    monkeypatch.setattr('sys.path', [*sys.path])
    entry.main()
    assert sorted(configs()) == ['pretrain', 'probe', 'retrieve']
    load_config('mine/mine_retrieve.py')
    with pytest.raises(SystemExit) as end:
        monkeypatch.setattr('sys.argv', ['umurl_mmaction', 'start', '--help'])
        entry.main()
    assert end.value.code == 0
    assert 'example:\n  python -m umurl_mmaction start' in (
        capsys.readouterr().out)


@pytest.mark.parametrize('num_clips, width, batch, steps, milestone, lr', [
    (40, 128, 40, 3000, 2340, None),
    (6400, 128, 64, 3000, 2340, None),
    (9600, 128, 64, 4500, 3510, None),
    (9999, 128, 64, 4710, 3674, None),
    (10_000, 1024, 512, 9020, 7036, 5e-4),
    (40_091, 1024, 512, 35_629, 27_791, 5e-4),
])
def test_sizes_by_the_number_of_clips(num_clips, width, batch, steps,
                                      milestone, lr):
    sizes = Sizes(num_clips)
    assert (sizes.width, sizes.batch, sizes.steps, sizes.milestone,
            sizes.lr) == (width, batch, steps, milestone, lr)
    assert sizes.is_large == (num_clips >= 10_000)
