"""Models whose data are described by a file, with and without that file."""
import mmengine
import pytest
import torch
from conftest import make_annotations
from tiny_models import LINEAR, save_weights, tiny_config

from umurl_mmaction.apis import load_model


@pytest.fixture
def cfg(tmp_path):
    """A classifier of 2D clips that takes all facts from their file."""
    path = str(tmp_path / 'own.pkl')
    data = make_annotations(num_joints=17, coords=2)
    mmengine.dump(dict(data, skeleton='coco'), path)
    cfg = tiny_config(path, LINEAR)
    cfg.model.backbone.ann_file = cfg.model.cls_head.ann_file = path
    del cfg.model.cls_head['num_classes']
    return cfg


def save(cfg, **meta):
    path = cfg.model.backbone.ann_file.replace('.pkl', '.pth')
    return save_weights(cfg, path, meta=dict(dataset_meta=meta))


def test_a_model_loads_without_the_file_of_its_data(cfg, tmp_path):
    checkpoint = save(
        cfg, skeleton='coco', num_person=2, in_channels=2, num_classes=3)
    first = load_model(cfg.copy(), checkpoint, 'cpu')
    (tmp_path / 'own.pkl').unlink()
    second = load_model(cfg.copy(), checkpoint, 'cpu')
    for model in (first, second):
        assert model.backbone.layout.name == 'coco'
        assert model.backbone.input_shape == (2, 64, 17, 2)
        assert model.cls_head.num_classes == 3


def test_settings_of_the_config_come_first(cfg, tmp_path):
    checkpoint = save(cfg, num_person=2, in_channels=2, num_classes=3)
    (tmp_path / 'own.pkl').unlink()
    cfg.model.backbone.update(graph_cfg=dict(layout='coco'))
    model = load_model(cfg, checkpoint, 'cpu')
    assert model.backbone.input_shape == (2, 64, 17, 2)


def test_what_nothing_describes_is_to_be_set(cfg, tmp_path):
    checkpoint = save(cfg)
    (tmp_path / 'own.pkl').unlink()
    with pytest.raises(ValueError, match=(
            "own.pkl' is not there, and the checkpoint does not describe the "
            'data either: set model.backbone.graph_cfg, model.backbone.in_c')):
        load_model(cfg, checkpoint, 'cpu')


@pytest.mark.parametrize('content', [
    [], 3, torch.zeros(3), {1: 2}, dict(state_dict=5),
    dict(state_dict=dict(a=5)), dict(state_dict={}, meta=3),
    dict(state_dict={}, meta=dict(dataset_meta=4))
])
def test_what_is_no_checkpoint_is_refused(cfg, tmp_path, content):
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='other.pth is no checkpoint: it'):
        load_model(cfg, tmp_path / 'other.pth', 'cpu')
