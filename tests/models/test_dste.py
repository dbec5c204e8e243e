"""USDRL's encoder."""
import pytest
import torch
from reference.dste import layer
from reference.model import positions
from torch.testing import assert_close

from umurl_mmaction.models import DSTE
from umurl_mmaction.models.layers.dense_shift import DenseShiftLayer


@pytest.mark.parametrize('num_heads, alpha, gap', [(1, 0.5, 4), (2, 0.3, 1),
                                                   (4, 1.0, 3)])
def test_layer_and_gradients_equal_the_plain_ones(num_heads, alpha, gap):
    ours = DenseShiftLayer(9, 8, num_heads, alpha, gap, 0.1).double().eval()
    weights = {
        f'x.{key}': value.detach().clone().requires_grad_()
        for key, value in ours.named_parameters()
    }
    tokens = torch.randn(3, 9, 8, dtype=torch.float64)
    expected = layer(weights, 'x', tokens, num_heads, alpha, gap)
    out = ours(tokens)
    assert_close(out, expected)
    out.square().sum().backward()
    expected.square().sum().backward()
    for key, value in ours.named_parameters():
        # What takes no part, such as one branch if alpha is 1, has a zero.
        plain = weights[f'x.{key}'].grad
        assert_close(value.grad, torch.zeros_like(value)
                     if plain is None else plain, msg=key)


def test_positions_are_added_before_each_layer():
    encoder = DSTE(embed_dims=8, clip_len=6).eval()
    for axis, table in (('temporal', positions(6, 8, 'cpu')),
                        ('spatial', encoder.encoder['spatial'].positions)):
        stack, tokens = encoder.encoder[axis], torch.randn(2, len(table), 8)
        weights = dict(stack.named_parameters())
        expected = tokens
        for i in range(2):
            expected = layer(weights, f'layers.{i}', expected + table, 1, 0.5,
                             4)
        assert_close(encoder._mix(axis, tokens), expected)
    # Those of the joints are learned.
    names = [key for key, _ in encoder.named_parameters() if 'posi' in key]
    assert names == ['encoder.spatial.positions']


def test_linear_weights_start_as_published():
    """From N(0, 0.02), biases 0."""
    encoder = DSTE(embed_dims=16, clip_len=16)
    encoder.init_weights()
    maps = [x for x in encoder.modules() if isinstance(x, torch.nn.Linear)]
    for linear in maps:
        assert linear.bias is None or not linear.bias.any()
        assert_close(linear.weight.std().item(), 0.02, rtol=0.25, atol=0)
    values = torch.cat([x.weight.flatten() for x in maps])
    assert_close(values.std().item(), 0.02, rtol=0.02, atol=0)


def test_branches_are_dropped_in_training_only():
    torch.manual_seed(0)
    encoder = DSTE(embed_dims=8, clip_len=6, drop_path_rate=0.5)
    x = torch.randn(1, 2, 6, 25, 3).expand(8, -1, -1, -1, -1)
    features = encoder(x)
    assert len({tuple(row) for row in features.tolist()}) > 4
    features = encoder.eval()(x)
    assert_close(features, features[:1].expand(8, -1))


def test_parts_and_settings():
    encoder = DSTE(embed_dims=8, clip_len=6)
    assert encoder.out_channels == 16
    assert list(encoder.feature_parts) == ['temporal', 'spatial']
    deeper = DSTE(embed_dims=8, clip_len=6, num_layers=3)
    with pytest.raises(ValueError, match='num_layers must be that') as error:
        deeper.load_state_dict(encoder.state_dict())
    assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match='gap=0 must be at least 1'):
        DSTE(embed_dims=8, gap=0)
    with pytest.raises(ValueError, match='alpha=7.0 must be within 0..1'):
        DSTE(embed_dims=8, alpha=7.)
    with pytest.raises(ValueError, match='drop_path_rate=1.0 must be at'):
        DSTE(embed_dims=8, drop_path_rate=1.)
