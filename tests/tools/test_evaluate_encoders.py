"""Encoders beside raw joints and untrained ones, in one table."""
import json

import mmengine
import pytest
import torch
from conftest import REPO, make_annotations
from mmaction.registry import MODELS
from tiny_models import KNN, run_test_loop, save_weights, tiny_config
from tools_loading import load_script, refusal

from umurl_mmaction.analysis.encoder_scores import EncoderScores
from umurl_mmaction.apis.loading import load_config
from umurl_mmaction.models import RawJoints

TOOL = load_script(REPO / 'tools/analysis/evaluate_encoders.py')


@pytest.fixture
def config(ann_file, tmp_path):
    cfg = tiny_config(ann_file, KNN)
    cfg.dump(str(tmp_path / 'knn.py'))
    return cfg


def test_rows_of_raw_joints_untrained_encoders_and_checkpoints(
        config, tmp_path, capsys):
    checkpoint = save_weights(config, tmp_path / 'weights.pth')
    TOOL.main([
        str(tmp_path / 'knn.py'), checkpoint, '--modalities', '--labels', '2',
        '--draws', '2', '--seeds', '0', '1', '--json',
        str(tmp_path / 'rows.json')
    ])
    content = json.loads((tmp_path / 'rows.json').read_text())
    assert content['seeds'] == [0, 1]
    rows = content['rows']
    assert [(row['encoder'], row['feature']) for row in rows] == [
        ('raw joints', 'fused'),
        *(('untrained', kind) for kind in ('fused', 'joint', 'bone',
                                           'motion')),
        *((checkpoint, kind) for kind in ('fused', 'joint', 'bone',
                                          'motion')),
    ]
    columns = ['1-NN', '1-NN standardised', 'logistic',
               'logistic, 2 a class']
    for row in rows:
        assert list(row['mean']) == columns
        assert all(0 <= value <= 1 for value in row['mean'].values())
        assert row['runs'] == (2 if row['encoder'] == 'untrained' else 1)
    # The classes are three poses.
    assert rows[0]['mean']['1-NN'] == 1
    # The same number as the test loop's.
    printed = capsys.readouterr().out.splitlines()
    table = [line for line in printed if line.startswith('|')]
    assert len(table) == 11 and '±' in table[3]
    assert table[0].startswith('| encoder | feature | 1-NN |')
    samples = run_test_loop(config, checkpoint, tmp_path / 'test')
    right = sum(int(x.pred_label) == int(x.gt_label) for x in samples)
    assert rows[5]['mean']['1-NN'] == pytest.approx(right / len(samples))


def test_seeds_are_those_of_the_untrained_encoders(config, tmp_path,
                                                   monkeypatch):
    seeds = []
    monkeypatch.setattr('mmengine.runner.set_random_seed', seeds.append)
    TOOL.main([str(tmp_path / 'knn.py'), '--labels', '--seeds', '3', '5'])
    assert seeds == [3, 5]


def test_groups_of_the_training_split_are_left_out_in_turn(
        config, tmp_path, monkeypatch):
    """Clips 0 to 11 are for training; the last digit is a group."""
    cfg = load_config(str(tmp_path / 'knn.py'))
    cfg.model.backbone = dict(type='RawJoints')
    cfg.test_dataloader.dataset.split = 'not to be read'
    score = EncoderScores(cfg, [1], 1, group=r'(\d)$')
    assert len(score.sets) == 1
    # Clips 0 and 10, 1 and 11 are together: the rest has 10 or 11 clips.
    calls = []
    monkeypatch.setattr(
        'umurl_mmaction.analysis.encoder_scores.logistic_accuracy',
        lambda *arrays: calls.append([len(x) for x in arrays]) or 0.5)
    accuracies = score(MODELS.build(cfg.model), ['fused'])['fused']
    assert calls == [[10, 10, 2, 2]] * 2 + [[11, 11, 1, 1]] * 8
    assert accuracies['logistic'] == pytest.approx(0.5)
    # The classes are three poses.
    assert accuracies['1-NN'] == pytest.approx(1)
    for group, message in ((r'\d', 'one pair of parentheses'),
                           ('(clip)', 'into one group'),
                           ('(', 'no regular expression')):
        with pytest.raises(ValueError, match=message):
            EncoderScores(cfg, [1], 1, group=group)


def test_misuse_is_one_line(config, tmp_path, capsys):
    path = str(tmp_path / 'knn.py')
    assert '--draws: must be at least 1' in refusal(TOOL, capsys, path,
                                                    '--draws', '0')
    assert '--labels: must be at least 1' in refusal(TOOL, capsys, path,
                                                     '--labels', '0')
    other = REPO / 'configs/umurl/linear/umurl-linear_synthetic.py'
    assert 'no model.gallery' in refusal(TOOL, capsys, other)


def test_clips_without_labels_are_named(tmp_path, capsys):
    data = make_annotations()
    del data['annotations'][3]['label']
    mmengine.dump(data, str(tmp_path / 'set.pkl'))
    cfg = tiny_config(str(tmp_path / 'set.pkl'), KNN)
    cfg.dump(str(tmp_path / 'knn.py'))
    last = refusal(TOOL, capsys, tmp_path / 'knn.py')
    assert "clip 'clip003' of " in last and 'has no label' in last


def test_raw_joints_are_flattened():
    encoder = RawJoints(num_person=1, clip_len=8)
    joints = torch.randn(3, 1, 8, 25, 3)
    assert torch.equal(encoder(joints), joints.flatten(1))
    assert encoder.out_channels == 8 * 25 * 3
    few = RawJoints(num_person=1, clip_len=8, num_frames=2)
    assert torch.equal(few(joints), joints[:, :, [0, 7]].flatten(1))
    two = RawJoints(num_person=1, clip_len=8, modalities=('bone', 'joint'))
    assert two(joints).shape == (3, two.out_channels)
