"""Checkpoints that lack weights, or have more, in training and in tests."""
import re

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.runner import Runner
from small_runs import linear_config
from tiny_models import (
    KNN,
    LINEAR,
    PRETRAIN,
    run_test_loop,
    save_weights,
    tiny_config,
)

from umurl_mmaction.apis import load_model
from umurl_mmaction.models.official.files import to_official


@pytest.fixture
def pretrained(ann_file, tmp_path):
    """Save a checkpoint of pre-training; return its path."""

    def save(name='pretrained.pth', change=lambda weights: weights, **model):
        cfg = tiny_config(ann_file, PRETRAIN)
        cfg.model.backbone.update(model)
        path = save_weights(cfg, tmp_path / name)
        weights = torch.load(path)['state_dict']
        torch.save(change(dict(state_dict=weights)), path)
        return path

    return save


def refused(message, function, *args):
    with pytest.raises(ValueError, match=message) as error:
        function(*args)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_a_test_without_the_classifiers_weights_is_refused(
        ann_file, tmp_path, pretrained):
    """In the words of the inferencer."""
    cfg = tiny_config(ann_file, LINEAR)
    path = pretrained()
    line = refused('pretrained.pth has no cls_head.fc.weight, .* a classifier '
                   'is in checkpoints of linear and fine-tuning runs only',
                   run_test_loop, cfg, path, tmp_path / 'test')
    assert line == refused('cls_head', load_model, cfg.copy(), path, 'cpu')


def test_a_classifier_of_other_classes_is_refused(ann_file, tmp_path):
    cfg = tiny_config(ann_file, LINEAR)
    path = save_weights(cfg, tmp_path / 'three.pth')
    cfg.model.cls_head.num_classes = 5
    line = refused(r'has cls_head.fc.weight of shape \(3, 32\).*num_classes',
                   run_test_loop, cfg, path, tmp_path / 'test')
    assert line == refused('cls_head', load_model, cfg.copy(), path, 'cpu')


def test_retrieval_wants_every_modality_of_the_config(ann_file, tmp_path,
                                                      pretrained):
    path = pretrained(modalities=('joint', 'bone'))
    cfg = tiny_config(ann_file, KNN)
    refused('has no backbone.embeddings.motion.*every modality of the config',
            run_test_loop, cfg, path, tmp_path / 'test')
    cfg.model.backbone.modalities = ('bone', )
    assert len(run_test_loop(cfg, path, tmp_path / 'bone')) == 6


@pytest.fixture
def probe(ann_file, tmp_path, capfd):
    """Train a classifier for an epoch; return the lines about its weights."""

    def run(path, **settings):
        # MMEngine names a logger by the second: that of another test would
        # write to a stream that is closed.
        cfg = linear_config(
            ann_file, tmp_path / 'linear', load_from=path,
            experiment_name=tmp_path.name,
            **{'train_cfg.max_epochs': 1, 'model.backbone.embed_dims': 16,
               'model.cls_head.in_channels': 32}, **settings)
        runner = Runner.from_cfg(cfg)
        capfd.readouterr()
        runner.train()
        text = ''.join(capfd.readouterr())
        return runner.model, re.findall(
            r'.*(?:left out|untrained|do not match|key).*', text)

    return run


@pytest.mark.parametrize('change', [lambda x: x, to_official])
def test_a_probe_of_a_pretrained_encoder_says_one_line(
        ann_file, probe, pretrained, change):
    """Ours and the paper's file."""
    path = pretrained(change=change)
    model, lines = probe(path)
    projectors = MODELS.build(tiny_config(ann_file, PRETRAIN).model).neck
    line, = lines
    assert line.endswith(
        f'{path}: {len(projectors.state_dict())} weights of projectors, which '
        'only pre-training uses, are left out; the classifier starts '
        'untrained')
    torch.testing.assert_close(
        model.backbone.state_dict(),
        load_model(tiny_config(ann_file, KNN), path,
                   'cpu').backbone.state_dict())


def test_what_nobody_knows_is_still_listed(probe, pretrained):

    def change(checkpoint):
        checkpoint['state_dict']['other.weight'] = torch.zeros(1)
        return checkpoint

    _, lines = probe(pretrained(change=change))
    listed = [line for line in lines if 'unexpected key' in line]
    assert listed == ['unexpected key in source state_dict: other.weight']


def test_a_frozen_encoder_wants_all_its_weights(probe, pretrained):
    path = pretrained(modalities=('joint', 'bone'))
    refused('has no backbone.embeddings.motion.*every modality', probe, path)
