import json

import pytest
import torch
from conftest import REPO
from mmengine.config import Config
from tools_loading import load_script, refusal

from umurl_mmaction.analysis.flops import count_flops

PRETRAIN = REPO / 'configs' / 'umurl' / 'pretrain'
NTU60 = 'umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'


@pytest.fixture
def tool():
    return load_script(REPO / 'tools' / 'analysis' / 'get_flops.py')


def narrow(name=NTU60, embed_dims=32):
    cfg = Config.fromfile(PRETRAIN / name)
    cfg.model.backbone.embed_dims = embed_dims
    cfg.model.neck.update(in_channels=2 * embed_dims, out_channels=64)
    return cfg


def encoder_flops(dims, num_streams, clip_len=64, bodies=2, joints=25):
    """Of every product of a clip's forward, two for a multiply-add."""
    total = 0
    for tokens, channels in ((clip_len, bodies * joints * 3),
                             (bodies * joints, clip_len * 3)):
        embedding = num_streams * (channels * dims + dims * dims)
        fusion = dims * dims if num_streams > 1 else 0
        layer = 4 * dims * dims + 2 * dims * dims
        attention = 2 * tokens * dims
        total += 2 * tokens * (embedding + fusion + layer + attention)
    return total


@pytest.mark.parametrize('modalities', [('joint', ), ('joint', 'motion'),
                                        ('joint', 'bone', 'motion')])
def test_an_encoder_costs_its_matrix_products(tool, modalities):
    # No fewer channels than tokens: one head is not merged into less.
    cfg = narrow(embed_dims=64)
    cfg.model.backbone.modalities = modalities
    cost = tool.measure('encoder', cfg, batch_size=4)
    assert cost.test_flops == encoder_flops(64, len(modalities))


def test_a_single_head_costs_less_in_training(tool):
    cfg = narrow()
    merged = tool.measure('', cfg, batch_size=64)
    cfg.model.backbone.num_heads = 2
    heads = tool.measure('', cfg, batch_size=64)
    assert merged.train_params == heads.train_params
    # Of four products of the attention two are left, of its layer's six four.
    assert 0.6 < merged.train_flops / heads.train_flops < 0.9


def test_training_costs_forward_and_backward(tool):
    layer = torch.nn.Linear(5, 7)
    x = torch.randn(3, 5)
    assert count_flops(lambda: layer(x)) == 2 * 3 * 5 * 7
    # No gradient of the input is asked for.
    assert count_flops(
        lambda: layer(x).sum().backward()) == 2 * 2 * 3 * 5 * 7
    cfg = narrow()
    # With more heads nothing is shared by a batch.
    cfg.model.backbone.num_heads = 2
    small, large = (tool.measure('', cfg, size) for size in (2, 4))
    # Rows of the Gram matrices are as long as the batch.
    grown = large.train_flops - small.train_flops
    # Being symmetric, they cost one product in the backward pass, too.
    forward = backward = 6 * 2 * 2 * 64
    assert grown == forward + backward


def test_late_fusion_is_three_models_and_costs_more(tool):
    fused, stream, late = tool.compare(narrow(), batch_size=4)
    for field in ('train_flops', 'train_params', 'test_flops',
                  'test_params'):
        assert getattr(late, field) == 3 * getattr(stream, field)
        assert getattr(stream, field) < getattr(fused, field)
        assert getattr(fused, field) < getattr(late, field)


def test_a_stream_is_that_of_the_uni_modal_config(tool):
    name = NTU60.replace('umurl_', 'umurl-unimodal-joint_')
    derived = tool.single_stream(narrow(), 'joint')
    assert derived.model.backbone.modalities == ('joint', )
    assert tool.measure('', derived, 4) == tool.measure('', narrow(name), 4)


def test_the_page_shows_what_the_command_prints(tool, tmp_path, capsys):
    path = tmp_path / 'new' / 'flops.json'
    tool.main([NTU60, '--json', str(path)])
    table = capsys.readouterr().out.split('\n\n')[0]
    assert table.startswith('| Model') and len(table.splitlines()) == 6
    assert table in (REPO / 'benchmarks' / 'README.md').read_text()
    content = json.loads(path.read_text())
    assert content['batch_size'] == 512 and content['config'] == NTU60
    assert 'multiply-add is 2 FLOPs' in content['unit']
    assert tool.to_markdown([tool.Cost(**row)
                             for row in content['rows']]) == table


@pytest.mark.parametrize('argv, message', [
    ([PRETRAIN / NTU60.replace('umurl_', 'umurl-unimodal-joint_')],
     "several modalities are wanted, it has ('joint',) only"),
    ([REPO / 'configs/umurl/knn/umurl-knn_synthetic.py'],
     "a pre-training config with model.type='UmURL' is wanted; "),
    (['lost.py'], "config 'lost.py' is neither a file nor one of this"),
    (['--batch-size', 1], '--batch-size must be at least 2, got 1'),
    (['--cfg-options', 'model.backbone.embed_dims=33'],
     'embed_dims=33 must be even'),
])
def test_misuse_ends_in_one_clear_line(tool, capsys, argv, message):
    assert message in refusal(tool, capsys, *argv)


def test_a_setting_without_a_value_is_refused(tool, capsys):
    assert refusal(tool, capsys, '--cfg-options', 'foo').endswith(
        "error: --cfg-options wants KEY=VALUE, got 'foo'")
