"""Every config is listed, complete and built; small ones run."""
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import mmengine
import pytest
import torch
from conftest import REPO, make_annotations
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from tools_loading import page_blocks

from umurl_mmaction.analysis.results import named_rows
from umurl_mmaction.apis.loading import find_config
from umurl_mmaction.datasets import transforms
from umurl_mmaction.datasets.transforms.view_transform import ViewTransform
from umurl_mmaction.skeleton import LAYOUTS, pack_clips

CONFIGS = REPO / 'configs'
VARIANTS = CONFIGS / 'variants.md'
METHODS = ('umurl', 'hico', 'skeletal_twins', 'srcl', 'usdrl')
EXPERIMENTS = sorted(path for method in METHODS
                     for path in (CONFIGS / method).rglob('*.py'))
PRETRAININGS = [
    path for path in EXPERIMENTS
    if path.parent.name in ('pretrain', *METHODS[1:]) and not {
        'knn', 'linear'} & set(path.stem.split('_')[0].split('-'))
]
# A set's facts, and what the test of a small set changes anyway.
CHANGED = {
    'ann_file', 'split', 'num_classes', 'label_fraction', 'clips_per_class',
    'load_from', 'auto_scale_lr', 'batch_size', 'num_workers',
    'persistent_workers', 'max_epochs', 'val_interval', 'embed_dims'
}
# Other names of a config are those of its bases.
READ = set(inspect.signature(Runner.__init__).parameters)
SUPERVISED = sorted((CONFIGS / 'stgcnpp').glob('*.py'))


def unchanged(settings):
    if isinstance(settings, dict):
        return {
            name: unchanged(value)
            for name, value in settings.items() if name not in CHANGED
        }
    if isinstance(settings, (list, tuple)):
        return [unchanged(value) for value in settings]
    return settings


def essence(path):
    cfg = Config.fromfile(path).to_dict()
    return repr({name: unchanged(cfg[name]) for name in sorted(READ & {*cfg})})


# The first of those that differ in nothing else.
DIFFERENT = {essence(path): path for path in reversed(EXPERIMENTS)}


def listed():
    index = mmengine.load(REPO / 'model-index.yml')
    return [
        model for path in index['Import']
        for model in mmengine.load(REPO / path)['Models']
    ]


def test_the_model_index_lists_every_config():
    assert sorted(m['Config'] for m in listed()) == sorted(
        str(path.relative_to(REPO)) for path in EXPERIMENTS + SUPERVISED)
    for model in listed():
        assert model['Name'] == Path(model['Config']).stem


def test_the_metafile_states_the_measured_results():
    models = {Path(model['Config']).name: model for model in listed()}
    rows = named_rows(CONFIGS / 'umurl')
    assert rows
    stated = {(name, result['Dataset']): result['Metrics']
              for name, model in models.items()
              for result in model.get('Results', [])}
    assert stated == {
        (row['pretrain'], content['dataset']): {
            'Top 1 Accuracy': round(100 * row['mean']['1-NN'], 1)
        }
        for content, row in rows.values()
    }


def test_measured_encoders_have_their_log_and_the_hash_of_their_weights():
    for model in listed():
        if not model.get('Results'):
            continue
        assert re.fullmatch('[0-9a-f]{64}', model['Weights SHA-256'])
        log = (REPO / model['Training Log']).read_text().splitlines()
        steps = [json.loads(line)['step'] for line in log]
        cfg = Config.fromfile(REPO / model['Config'])
        assert max(steps) == cfg.train_cfg.min_iters


def test_mmengine_finds_every_config_by_name():
    from mmengine.hub import get_config
    for path in EXPERIMENTS:
        name = path.relative_to(CONFIGS)
        cfg = get_config(f'umurl_mmaction::{name}')
        assert cfg.model == Config.fromfile(path).model


def test_commands_find_every_config_by_its_base_name():
    for path in EXPERIMENTS + SUPERVISED:
        assert find_config(path.name).parts[-2:] == path.parts[-2:]
    with pytest.raises(FileNotFoundError, match='neither a file nor one of'):
        # A base is no experiment.
        find_config('skeletal_twins.py')


def test_the_model_index_loads():
    modelindex = pytest.importorskip(
        'modelindex.load_model_index', reason='openmim is not installed')
    index = modelindex.load(str(REPO / 'model-index.yml'))
    index.build_models_with_collections()
    assert len(index.models) == len(EXPERIMENTS + SUPERVISED)


def test_base_names_are_unique():
    names = [path.name for path in EXPERIMENTS]
    names += [path.name for path in (CONFIGS / '_base_').rglob('*/*.py')]
    assert not [
        path.name for path in EXPERIMENTS if names.count(path.name) > 1
    ]


@pytest.mark.parametrize('path', EXPERIMENTS, ids=lambda p: p.stem)
def test_config_is_complete_and_its_model_is_built(path):
    cfg = Config.fromfile(path)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        # Validation in pre-training follows the training set.
        if loader in cfg and 'ann_file' in cfg[loader].dataset:
            assert cfg[loader].dataset.ann_file.startswith('data/')
            assert cfg[loader].dataset.split != '???'
    if 'gallery' in cfg.model:
        assert cfg.model.gallery.dataset.ann_file.startswith('data/')
        assert 'train' in cfg.model.gallery.dataset.split
    model = MODELS.build(cfg.model)
    # Named in the config where they are not all.
    every = {'joint', 'bone', 'motion'}
    named = every & set(path.stem.split('_')[0].split('-'))
    assert set(model.backbone.modalities) == (named or every)


def test_models_are_built_from_a_notebook():
    """No Runner has set a scope, no data are there."""
    script = f'''
import umurl_mmaction
from mmaction.registry import MODELS
from mmengine.config import Config
for path in {[str(path) for path in EXPERIMENTS]}:
    MODELS.build(Config.fromfile(path).model)
    print(path)
'''
    done = subprocess.run([sys.executable, '-c', script],
                          env=dict(os.environ, OMP_NUM_THREADS='1'),
                          capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [str(path) for path in EXPERIMENTS]


def test_facts_of_a_data_set_stand_in_one_file():
    """No experiment repeats a file name, a split or a number of classes."""
    for path in EXPERIMENTS:
        code = path.read_text()
        for fact in ('data/', "split='", 'num_classes=1', 'num_classes=5',
                     'num_classes=6', 'layout='):
            assert fact not in code, (path, fact)


def views_of(cfg):
    """Crop, the two of which one is chosen, and what follows."""
    views = MODELS.build(cfg.model.data_preprocessor).views
    crop, choice, *rest = views.pipelines[0].transforms
    return [crop, [x.transforms[0] for x in choice.transforms], *rest]


def test_recipes_are_the_papers():
    cfg = Config.fromfile(
        CONFIGS / 'umurl/pretrain/'
        'umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py')
    assert cfg.optim_wrapper.optimizer == dict(
        type='Adam', lr=5e-4, weight_decay=1e-5, fused=True)
    assert cfg.train_cfg.max_epochs == 451
    assert not cfg.train_dataloader.drop_last
    assert cfg.param_scheduler[0].milestones == [351]
    assert 4 * cfg.train_dataloader.batch_size == 512
    assert cfg.auto_scale_lr.base_batch_size == 512
    crop, (corruption, shear) = views_of(cfg)
    assert (crop.ratio, crop.min_len, crop.clip_len) == ((0.1, 1), 64, 64)
    assert (corruption.ratio, shear.amplitude) == (0.6, 1)
    cfg = Config.fromfile(
        CONFIGS / 'umurl/linear/'
        'umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py')
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.03, momentum=0.9, weight_decay=0)
    assert cfg.train_cfg.max_epochs == 150
    assert cfg.param_scheduler[0].milestones == [120, 140]
    assert cfg.train_cfg.val_interval == 5
    assert cfg.model.backbone.frozen


def test_recipes_of_our_own_are_the_measured_ones():
    cfg = Config.fromfile(
        CONFIGS / 'umurl/pretrain/umurl-plus_1xb64-3k_synthetic.py')
    crop, (corruption, shear), turn = views_of(cfg)
    assert (crop.ratio, crop.min_len) == ((0.5, 1), 8)
    assert (corruption.ratio, shear.amplitude, turn.angle) == (0.2, 0.3, 0.5)
    assert cfg.optim_wrapper.optimizer.lr == 2e-3
    assert cfg.param_scheduler[0].milestones == [2340]
    assert (cfg.train_cfg.passes, cfg.train_cfg.min_iters) == (30, 3000)
    cfg = Config.fromfile(
        CONFIGS / 'umurl/pretrain/'
        'umurl-plus-nn-tuning_1xb64-300_synthetic.py')
    assert cfg.train_cfg.max_iters == 300
    srcl, hico = (
        Config.fromfile(CONFIGS / f'{name}/{name}_1xb64-3k_synthetic.py').model
        for name in ('srcl', 'hico'))
    for model in (srcl, hico):
        assert model.momentum == 0.01
        assert {x.queue_size for x in model.heads.values()} == {256}
    relation = srcl.heads.relation
    assert (relation.temperature, relation.target_temperature) == (0.1, 0.04)


def test_supervised_recipe_is_that_of_mmaction():
    for path in SUPERVISED:
        cfg = Config.fromfile(path)
        # 0.1 for 8 x 16 clips.
        assert cfg.optim_wrapper.optimizer.lr == 0.1 / 8
        assert cfg.train_dataloader.batch_size == 16
        assert cfg.train_cfg.max_epochs == 16


@pytest.mark.parametrize('path', PRETRAININGS, ids=lambda p: p.stem)
def test_auto_scale_lr_knows_the_batch_of_each_pre_training(path):
    cfg = Config.fromfile(path)
    devices = int(re.search(r'_(\d+)xb(\d+)', path.stem)[1])
    assert cfg.auto_scale_lr == dict(
        enable=False,
        base_batch_size=devices * cfg.train_dataloader.batch_size)
    assert f'_{devices}xb{cfg.train_dataloader.batch_size}' in path.stem


@pytest.mark.parametrize(
    'path', sorted(DIFFERENT.values()), ids=lambda p: p.stem)
def test_config_runs_on_a_small_set(path, tmp_path):
    """One pass over a few clips with a narrow model."""
    cfg = Config.fromfile(path)
    ann_file = str(tmp_path / 'tiny.pkl')
    _, _, num_joints, coords = MODELS.build(cfg.model.backbone).input_shape
    data = make_annotations(num_joints=num_joints, coords=coords)
    for split in ('train', 'val'):
        for protocol in ('xsub', 'xview', 'xset'):
            data['split'][f'{protocol}_{split}'] = data['split'][split]
        data['split'][f'{split}_nodup'] = data['split'][split]
    mmengine.dump(data, ann_file)
    loaders = [
        cfg[name] for name in ('train_dataloader', 'val_dataloader',
                               'test_dataloader') if name in cfg
    ]
    if 'gallery' in cfg.model:
        loaders.append(cfg.model.gallery)
    for loader in loaders:
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.ann_file = ann_file
    if 'trunk' in cfg.model.backbone:
        cfg.model.backbone.trunk.update(base_channels=16, num_stages=2)
    else:
        cfg.model.backbone.embed_dims = 16
    if 'neck' in cfg.model:
        channels = 2 * 16
        if cfg.model.neck.type != 'StandardizingProjector':
            channels = 64
            cfg.model.neck.update(hidden_channels=32, out_channels=channels)
        for head in cfg.model.heads.values():
            if 'channels' in head:
                head.channels = channels
    if 'cls_head' in cfg.model:
        cfg.model.cls_head.in_channels = MODELS.build(
            cfg.model.backbone).out_channels
    cfg.update(work_dir=str(tmp_path), load_from=None)
    cfg.experiment_name = f'{path.stem}_{tmp_path.name}'
    if 'train_cfg' not in cfg:
        assert 0 <= Runner.from_cfg(cfg).test()['acc/top1'] <= 1
        return
    # 12 clips in batches of 4 are 3 steps.
    counts_steps = cfg.train_cfg.type == 'PassesTrainLoop'
    cfg.train_cfg.update(
        dict(max_iters=3, val_interval=3) if counts_steps else dict(
            max_epochs=1, val_interval=1))
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3
    name = 'iter_3.pth' if counts_steps else 'epoch_1.pth'
    assert (tmp_path / name).exists()


@pytest.mark.parametrize('path', SUPERVISED, ids=lambda p: p.stem)
def test_supervised_config_runs_on_a_small_set(path, tmp_path):
    cfg = Config.fromfile(path)
    graph = MODELS.build(cfg.model.backbone).graph
    data = make_annotations(
        num_joints=graph.num_node,
        coords=cfg.model.backbone.get('in_channels', 3))
    for split in ('train', 'val'):
        data['split'][f'{split}_nodup'] = data['split'][split]
    mmengine.dump(data, tmp_path / 'tiny.pkl')
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[name].update(num_workers=0, persistent_workers=False)
        dataset = cfg[name].dataset
        dataset = dataset.get('dataset', dataset)
        assert dataset.ann_file.startswith('data/')
        dataset.ann_file = str(tmp_path / 'tiny.pkl')
    cfg.model.backbone.update(base_channels=16, num_stages=2)
    cfg.model.cls_head.in_channels = 16
    cfg.train_cfg.update(max_epochs=1, val_begin=1)
    cfg.update(
        work_dir=str(tmp_path),
        experiment_name=f'{path.stem}_{tmp_path.name}')
    runner = Runner.from_cfg(cfg)
    runner.train()
    # Five passes over 12 clips, in batches of 16.
    assert runner.iter == 4
    assert 0 <= runner.test()['acc/top1'] <= 1


def test_the_graph_of_kinect_v1_is_the_layouts():
    cfg = Config.fromfile(CONFIGS / '_base_/models/stgcnpp_recognizer.py')
    graph, layout = cfg.kinect_v1, LAYOUTS['kinect-v1']
    assert graph.num_node == layout.num_joints
    assert {frozenset(bone) for bone in graph.inward} == {
        frozenset(bone) for bone in enumerate(layout.parents) if -1 not in bone
    }
    assert layout.joints[graph.center] == 'shoulder_center'
    # Each bone but the centre's starts once, as all lead there.
    assert sorted(start for start, _ in graph.inward) == [
        v for v in range(layout.num_joints) if v != graph.center
    ]


def pages_config(page, part, tmp_path):
    """The first config on a page that has this part."""
    code = next(x for x in page_blocks(page, 'python') if part in x)
    path = tmp_path / 'my_config.py'
    path.write_text(code)
    return Config.fromfile(path)


def test_the_readmes_variant_is_built(tmp_path):
    cfg = pages_config(REPO / 'README.md', 'data/mine.pkl', tmp_path)
    assert cfg.train_dataloader.dataset.ann_file == 'data/mine.pkl'
    assert cfg.train_dataloader.dataset.type == 'SkeletonDataset'
    assert cfg.optim_wrapper.optimizer.type == 'Adam'
    backbone = MODELS.build(cfg.model).backbone
    assert len(backbone.encoder['temporal'].layers) == 2


def test_the_pages_other_views_are_made(tmp_path):
    cfg = pages_config(VARIANTS, 'LimbScaling', tmp_path)
    layout = dict(
        joints=['hip', 'left_hand', 'right_hand'], parents=[-1, 0, 0])
    cfg.model.backbone.update(
        graph_cfg=dict(layout=layout), num_person=1, embed_dims=16)
    model = MODELS.build(cfg.model)
    pipeline = model.data_preprocessor.views.pipelines[0]
    assert [type(step).__name__ for step in pipeline.transforms] == [
        'TemporalCropResize', 'RandomApply', 'LimbScaling', 'RandomChoice',
        'PoseRotation'
    ]
    clips = pack_clips([torch.randn(1, t, 3, 3) for t in (5, 90)])
    views = model.data_preprocessor.make_views(clips, training=True)
    assert [tuple(view.shape) for view in views] == [(2, 1, 64, 3, 3)] * 4
    losses = model(views, mode='loss')
    assert all(loss.isfinite() for loss in losses.values())


def test_the_pages_short_views_are_made(tmp_path):
    cfg = pages_config(VARIANTS, 'local=', tmp_path)
    cfg.model.backbone.update(num_person=1, embed_dims=16)
    model = MODELS.build(cfg.model)
    assert list(model.neck) == ['joint', 'bone', 'motion', 'local']
    # A clip whose frames are numbered.
    clip = torch.arange(1., 101).view(1, 100, 1, 1).expand(-1, -1, 25, 3)
    for pipeline in model.data_preprocessor.views.pipelines:
        del pipeline.transforms[1:]
    views = model.data_preprocessor.make_views(
        pack_clips([clip] * 200), training=True)
    # Half a frame is lost at both ends, where the crop is stretched.
    spans = [
        view.flatten(1).amax(1) - view.flatten(1).amin(1) + 1
        for view in views
    ]
    assert len(spans) == 5
    for i, span in enumerate(spans):
        low, high = (20, 50) if i == 3 else (50, 100)
        assert low - 1 <= span.min() < low + 5
        assert high - 5 < span.max() <= high
    losses = model([view[:4] for view in views], mode='loss')
    assert all(loss.isfinite() for loss in losses.values())


def test_the_pages_mixing_is_built(tmp_path):
    cfg = pages_config(VARIANTS, 'ClipMixing', tmp_path)
    cfg.model.backbone.update(num_person=1, embed_dims=16)
    cfg.model.neck.out_channels = 8
    model = MODELS.build(cfg.model)
    assert (model.mixing.prob, model.mixing.part.ratio) == (0.5, (0.2, 0.6))
    losses = model([torch.randn(4, 1, 64, 25, 3)] * 4, mode='loss')
    assert all(loss.isfinite() for loss in losses.values())


def test_the_other_schedule_is_taken_as_the_readme_says(tmp_path):
    path = tmp_path / 'my_config.py'
    path.write_text('''
_base_ = [
    'umurl_mmaction::umurl/pretrain/umurl-plus_1xb64-3k_synthetic.py',
    'umurl_mmaction::_base_/schedules/adamw_cosine.py'
]
optim_wrapper = dict(optimizer=_base_.adamw)
param_scheduler = _base_.warmup_cosine
''')
    cfg = Config.fromfile(path)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == (
        'AdamW', 2e-3, 0.01)
    assert [step.type for step in cfg.param_scheduler] == [
        'LinearLR', 'CosineAnnealingLR'
    ]
    assert cfg.train_cfg.min_iters == 3000


def test_every_augmentation_is_on_the_page():
    page = VARIANTS.read_text()
    for name in transforms.__all__:
        if issubclass(getattr(transforms, name), ViewTransform):
            assert f'| `{name}' in page or f', `{name}' in page, name
