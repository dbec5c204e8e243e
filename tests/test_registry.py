"""The scope `umurl_mmaction` finds everything without a warning."""
import importlib
import logging
import pickle
import warnings

import mmengine.logging
import numpy as np
import pytest
import torch
from mmaction import registry as mmaction_registry
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import DefaultScope, Registry

import umurl_mmaction.registry
from umurl_mmaction.registry import SCOPE

REGISTRIES = {
    name: value
    for name, value in vars(mmaction_registry).items()
    if isinstance(value, Registry) and value.scope == 'mmaction'
}


@pytest.fixture
def complaints(monkeypatch):
    """Collect MMEngine's warnings; Python's warnings become errors."""
    messages = []

    def print_log(message, logger=None, level=logging.INFO):
        if level >= logging.WARNING:
            messages.append(message)

    monkeypatch.setattr(mmengine.logging, 'print_log', print_log)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        yield messages


@pytest.fixture
def skeletons(tmp_path):
    path = tmp_path / 'skeletons.pkl'
    sample = dict(
        frame_dir='a',
        label=0,
        total_frames=4,
        keypoint=np.zeros((1, 4, 25, 3), np.float32))
    with open(path, 'wb') as file:
        pickle.dump(dict(split=dict(train=['a']), annotations=[sample]), file)
    return str(path)


def recognizer():
    return dict(
        type='RecognizerGCN',
        _scope_=SCOPE,
        backbone=dict(
            type='STGCN',
            num_stages=1,
            base_channels=4,
            inflate_stages=[],
            down_stages=[],
            graph_cfg=dict(layout='nturgb+d', mode='stgcn_spatial')),
        cls_head=dict(type='GCNHead', num_classes=2, in_channels=4))


def test_every_registry_has_the_scope():
    assert len(REGISTRIES) > 20
    for parent in REGISTRIES.values():
        child = parent.root._search_child(SCOPE)
        assert child.parent is parent
        assert (child.name, child.scope) == (parent.name, SCOPE)
        assert child.module_dict.keys() <= {'AmpOptimWrapper'}
        assert SCOPE in child._locations


def test_without_the_scope_mmengine_complains(complaints, monkeypatch):
    models = mmaction_registry.MODELS
    monkeypatch.delitem(models.children, SCOPE)
    with pytest.raises(KeyError, match='not in the mmengine::model'):
        models.root.build(recognizer())
    assert any(SCOPE in message for message in complaints)


@pytest.mark.parametrize('root', [False, True])
def test_model_is_built(complaints, root):
    registry = mmaction_registry.MODELS
    model = (registry.root if root else registry).build(recognizer())
    assert type(model).__module__.startswith('mmaction.')
    assert type(model.backbone).__name__ == 'STGCN'
    assert complaints == []


@pytest.mark.parametrize(('registry', 'cfg'), [
    ('HOOKS', dict(type='CheckpointHook')),
    ('TRANSFORMS', dict(type='PreNormalize3D')),
    ('TRANSFORMS', dict(type='UniformSampleFrames', clip_len=4)),
    ('METRICS', dict(type='AccMetric')),
    ('VISUALIZERS', dict(type='ActionVisualizer', name='in-scope')),
    ('VISBACKENDS', dict(type='LocalVisBackend', save_dir='.')),
    ('LOG_PROCESSORS', dict(type='LogProcessor')),
    ('DATA_SAMPLERS', dict(type='DefaultSampler', dataset=[1, 2])),
    ('OPTIM_WRAPPER_CONSTRUCTORS',
     dict(
         type='DefaultOptimWrapperConstructor',
         optim_wrapper_cfg=dict(optimizer=dict(type='SGD', lr=1)))),
])
def test_parts_of_both_packages_are_built(complaints, registry, cfg):
    part = REGISTRIES[registry].build(dict(cfg, _scope_=SCOPE))
    assert type(part).__name__ == cfg['type']
    assert complaints == []


def test_hook_of_mmaction_is_built(complaints):
    # It asks for the current visualizer.
    mmaction_registry.VISUALIZERS.build(
        dict(type='ActionVisualizer', name='of-hook', _scope_=SCOPE))
    hook = mmaction_registry.HOOKS.root.build(
        dict(type='VisualizationHook', _scope_=SCOPE))
    assert type(hook).__module__.startswith('mmaction.')
    assert complaints == []


def test_dataset_is_built(complaints, skeletons):
    dataset = mmaction_registry.DATASETS.build(
        dict(
            type='PoseDataset',
            _scope_=SCOPE,
            ann_file=skeletons,
            split='train',
            pipeline=[dict(type='PreNormalize3D')]))
    assert len(dataset) == 1
    assert complaints == []


def test_optimizer_and_its_schedule_are_built(complaints):
    weights = torch.nn.Linear(2, 2).parameters()
    optimizer = mmaction_registry.OPTIMIZERS.build(
        dict(type='SGD', _scope_=SCOPE, params=weights, lr=0.1))
    assert isinstance(optimizer, torch.optim.SGD)
    schedule = mmaction_registry.PARAM_SCHEDULERS.build(
        dict(
            type='MultiStepLR',
            _scope_=SCOPE,
            optimizer=optimizer,
            milestones=[1]))
    assert schedule.param_name == 'lr'
    wrapper = mmaction_registry.OPTIM_WRAPPERS.build(
        dict(type='OptimWrapper', _scope_=SCOPE, optimizer=optimizer))
    assert wrapper.optimizer is optimizer
    assert complaints == []


def test_function_is_found(complaints):
    child = mmaction_registry.FUNCTION.children[SCOPE]
    assert child.get('default_collate').__name__ == 'default_collate'
    assert complaints == []


def test_own_parts_are_in_the_registries_of_mmaction(complaints):
    own = {
        name: part
        for name, part in mmaction_registry.MODELS.module_dict.items()
        if part.__module__.startswith(f'{SCOPE}.')
    }
    assert own
    child = mmaction_registry.MODELS.children[SCOPE]
    for name, part in own.items():
        assert child.get(name) is part
    assert complaints == []


def test_scope_as_default(complaints):
    with DefaultScope.overwrite_default_scope(SCOPE):
        cfg = recognizer()
        del cfg['_scope_']
        model = mmaction_registry.MODELS.root.build(cfg)
    assert type(model).__name__ == 'RecognizerGCN'
    assert complaints == []


def test_configs_may_inherit_from_the_package():
    assert MODULE2PACKAGE[SCOPE] == SCOPE


def test_reload_changes_nothing(complaints):
    children = [parent.children[SCOPE] for parent in REGISTRIES.values()]
    importlib.reload(umurl_mmaction.registry)
    assert children == [
        parent.children[SCOPE] for parent in REGISTRIES.values()
    ]
    assert complaints == []
