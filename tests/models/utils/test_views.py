"""All views at once give the same as one view after the other."""
import copy

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from umurl_mmaction.models import ModalityProjector, UmURLBackbone
from umurl_mmaction.skeleton import build_layout
from umurl_mmaction.skeleton.modalities import generate_modalities


def streams(batch, *names):
    joints = torch.randn(batch, 2, 8, 25, 3)
    return generate_modalities(joints, names, build_layout('nturgb+d'))


@pytest.mark.parametrize('num_heads, num_layers', [(1, 1), (2, 2)])
def test_encoder_takes_views_at_once(num_heads, num_layers):
    backbone = UmURLBackbone(
        embed_dims=16,
        clip_len=8,
        num_heads=num_heads,
        num_layers=num_layers)
    views = [
        streams(3, 'joint'),
        streams(2, 'motion', 'bone'),
        streams(4, 'bone', 'joint', 'motion'),
        streams(1, 'bone'),
    ]
    got = backbone.encode_views(views)
    assert [len(feature) for feature in got] == [3, 2, 4, 1]
    for feature, view in zip(got, views):
        torch.testing.assert_close(feature, backbone(view))
    # The parent's own layer, with the weights of ours.
    for encoder in backbone.encoder.values():
        # More tokens than channels, and fewer.
        for tokens in (torch.randn(3, 7, 16), torch.randn(1, 7, 16)):
            expected = tokens
            for layer in encoder.layers:
                torch.nn.init.normal_(layer.self_attn.in_proj_bias)
                parent = nn.TransformerEncoderLayer(
                    16, num_heads, 16, dropout=0., batch_first=True)
                parent.load_state_dict(layer.state_dict())
                expected = parent(expected)
            torch.testing.assert_close(encoder(tokens), expected)


def test_one_call_a_layer_for_all_views():
    backbone = UmURLBackbone(embed_dims=16, clip_len=8)
    calls = []
    for name, module in backbone.named_modules():
        if not list(module.children()):
            module.register_forward_hook(
                lambda *args, name=name: calls.append(name))
    backbone.encode_views(
        [streams(2, name) for name in backbone.modalities] +
        [streams(2, *backbone.modalities)])
    assert len(calls) == len(set(calls))


def test_projector_keeps_the_statistics_of_each_batch():
    once, twice = ModalityProjector(16, 24), ModalityProjector(16, 24)
    twice.load_state_dict(copy.deepcopy(once.state_dict()))
    batches = [torch.randn(5, 16), 3 + 2 * torch.randn(7, 16)]
    got = once.forward_batches(batches)
    expected = [twice(batch) for batch in batches]
    for a, b in zip(got, expected):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(once.state_dict(), twice.state_dict())


def build_small():
    return MODELS.build(
        dict(
            type='UmURL',
            backbone=dict(type='UmURLBackbone', embed_dims=16, clip_len=8),
            neck=dict(
                type='ModalityProjector', in_channels=32, out_channels=24),
            heads=dict(
                intra=dict(type='IntraModalConsistencyHead'),
                regularizer=dict(type='VarianceCovarianceHead'))))


def test_compiled_without_breaks_and_once():
    """torch.compile traces the whole; the backend does not matter."""
    torch._dynamo.reset()
    model = build_small()
    explained = torch._dynamo.explain(model.backbone.encode_views)(
        [streams(4, 'joint'),
         streams(4, 'joint', 'bone')])
    assert explained.graph_break_count == 0, explained.break_reasons
    explained = torch._dynamo.explain(model.neck['joint'].forward_batches)(
        [torch.randn(4, 32), torch.randn(4, 32)])
    assert explained.graph_break_count == 0, explained.break_reasons

    torch._dynamo.reset()
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(model, backend=backend)
    for _ in range(4):
        views = [torch.randn(5, 2, 8, 25, 3) for _ in range(4)]
        torch.testing.assert_close(
            compiled(views, mode='loss'), model(views, mode='loss'))
    assert len(graphs) == 1
    torch._dynamo.reset()
