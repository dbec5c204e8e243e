import pytest
import torch
from reference import model as plain

from umurl_mmaction.models import UmURLBackbone
from umurl_mmaction.skeleton import build_layout
from umurl_mmaction.skeleton.modalities import generate_modalities

SMALL = dict(embed_dims=16, clip_len=8)


def joints(batch=3, num_person=2, clip_len=8, num_joints=25, coords=3):
    return torch.randn(batch, num_person, clip_len, num_joints, coords)


def weights(backbone):
    return {f'backbone.{k}': v for k, v in backbone.state_dict().items()}


@pytest.mark.parametrize('num_heads, num_layers', [(1, 1), (4, 1), (2, 3)])
@pytest.mark.parametrize('names', [('joint', 'bone', 'motion'), ('bone', ),
                                   ('motion', 'joint')])
def test_feature_equals_the_plain_one(names, num_heads, num_layers):
    backbone = UmURLBackbone(
        **SMALL, num_heads=num_heads, num_layers=num_layers)
    x = joints()
    streams = {name: plain.stream(x, name) for name in names}
    expected = plain.feature(
        weights(backbone), streams, num_heads, num_layers)
    assert expected.shape == (3, 32)
    for mode in (True, False):
        torch.testing.assert_close(
            backbone.train(mode)(streams), expected, atol=1e-5, rtol=1e-4)


def test_samples_skip_blocks_in_training():
    """Deeper, with DropPath: the same weights, and the same in evaluation."""
    plainly = UmURLBackbone(**SMALL, num_layers=2)
    dropping = UmURLBackbone(**SMALL, num_layers=2, drop_path_rate=0.3)
    dropping.load_state_dict(plainly.state_dict())
    x = joints(2)
    torch.testing.assert_close(dropping.eval()(x), plainly.eval()(x))
    assert not torch.allclose(dropping.train()(x), plainly(x))

    layer = dropping.encoder['spatial'].layers[0]
    tokens = torch.randn(1, 5, 16).expand(3000, -1, -1)
    with torch.no_grad():
        got = layer(tokens)
        attended = layer.eval()._attend(tokens[:1])
        expected = []
        for keep_attention in (0, 1):
            y = layer.norm1(tokens[:1] + keep_attention / 0.7 * attended)
            block = layer.linear2(layer.linear1(y).relu())
            expected += [layer.norm2(y), layer.norm2(y + block / 0.7)]
    is_case = torch.stack([
        (got - case).abs().amax((1, 2)) < 1e-4 for case in expected
    ])
    assert (is_case.sum(0) == 1).all()
    for count, share in zip(is_case.sum(1), (0.09, 0.21, 0.21, 0.49)):
        deviation = (3000 * share * (1 - share))**0.5
        assert abs(count - 3000 * share) < 5 * deviation


@pytest.mark.parametrize('rate', [-0.1, 1])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match=f'drop_path_rate={rate} must be'):
        UmURLBackbone(**SMALL, drop_path_rate=rate)


def test_joints_are_all_modalities():
    backbone, x = UmURLBackbone(**SMALL), joints()
    streams = generate_modalities(x, ('motion', 'joint', 'bone'),
                                  build_layout('nturgb+d'))
    torch.testing.assert_close(backbone(x), backbone(streams))


def test_unused_modalities_may_be_absent():
    """A smaller backbone takes the same weights and gives the same."""
    full, x = UmURLBackbone(**SMALL).eval(), joints()
    for names in (('bone', ), ('joint', 'motion')):
        part = UmURLBackbone(**SMALL, modalities=names).eval()
        part.load_state_dict(full.state_dict(), strict=False)
        streams = generate_modalities(x, names, build_layout('nturgb+d'))
        torch.testing.assert_close(part(x), full(streams))
        assert not any(name in key for name in {'joint', 'bone', 'motion'} -
                       set(names) for key in part.state_dict())


def test_one_modality_has_no_fusion_layer():
    single = UmURLBackbone(**SMALL, modalities=('joint', ))
    assert not any('fusion' in key for key in single.state_dict())


def test_other_layouts_and_sizes():
    custom = dict(joints='abcd', parents=(-1, 0, 1, 1))
    backbone = UmURLBackbone(
        graph_cfg=dict(layout=custom),
        in_channels=2,
        num_person=3,
        clip_len=5,
        embed_dims=8)
    assert backbone(joints(2, 3, 5, 4, 2)).shape == (2, 16)


def test_bodies_are_padded_and_left_out():
    backbone, x = UmURLBackbone(**SMALL, num_person=2), joints(num_person=3)
    torch.testing.assert_close(backbone(x), backbone(x[:, :2]))
    alone = x[:, :1]
    padded = torch.cat([alone, torch.zeros_like(alone)], dim=1)
    assert torch.equal(backbone(alone), backbone(padded))
    assert torch.equal(
        backbone(backbone.streams(alone)), backbone(padded))


def test_features_pass_through_where_an_encoder_is_told_to():
    backbone, features = UmURLBackbone(**SMALL), torch.randn(3, 32)
    backbone.takes_features = True
    assert backbone(features) is features


def test_parts_of_the_feature_are_named():
    backbone = UmURLBackbone(**SMALL)
    parts = backbone.feature_parts
    assert parts == dict(temporal=slice(0, 16), spatial=slice(16, 32))
    assert backbone.out_channels == 32


def test_frozen_backbone_stays_in_eval_mode_without_gradients():
    backbone = UmURLBackbone(**SMALL, frozen=True).train()
    assert not any(module.training for module in backbone.modules())
    assert not any(p.requires_grad for p in backbone.parameters())


@pytest.mark.parametrize('x, message', [
    (dict(angle=joints()), "unknown modality 'angle'; this encoder was"),
    (dict(), 'no modality stream'),
    (joints(num_joints=17), 'wants 25 joints'),
    (dict(bone=joints(clip_len=9)), r"the 'bone' stream has shape .* wanted "
     r'is \(N, 2, 8, 25, 3\)'),
    (joints()[0], r'wanted is \(N, 2, 8, 25, 3\)'),
    (joints(coords=2), r'wanted is \(N, 2, 8, 25, 3\)'),
    # What a recognizer makes of (N, M, T, V, C).
    (joints().flatten(0, 1), r'an axis is missing: a recognizer wants \(N, '
     'num_clips, num_person, clip_len, joints, in_channels'),
])
def test_wrong_input_says_why(x, message):
    with pytest.raises(ValueError, match=message) as error:
        UmURLBackbone(**SMALL)(x)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('settings, message', [
    (dict(modalities=('joint', 'depth')), "unknown modality 'depth'"),
    (dict(graph_cfg=dict(layout='kinect')), "unknown layout 'kinect'"),
    (dict(embed_dims=15), 'must be even'),
    (dict(num_heads=3), 'divisible by num_heads=3'),
])
def test_wrong_settings_say_why(settings, message):
    with pytest.raises(ValueError, match=message):
        UmURLBackbone(**{**SMALL, **settings})


@pytest.mark.parametrize('other, message', [
    (dict(embed_dims=8), 'has .* of shape .*, this UmURLBackbone wants'),
    (dict(clip_len=4), 'clip_len'),
    (dict(num_person=1), 'num_person'),
])
@pytest.mark.parametrize('strict', [True, False])
def test_a_checkpoint_of_another_size_is_refused(other, message, strict):
    state_dict = UmURLBackbone(**{**SMALL, **other}).state_dict()
    with pytest.raises(ValueError, match=message) as error:
        UmURLBackbone(**SMALL).load_state_dict(state_dict, strict=strict)
    assert '\n' not in str(error.value)


def test_a_checkpoint_of_another_model_is_refused():
    with pytest.raises(ValueError, match="got keys like 'fc.weight'"):
        UmURLBackbone(**SMALL).load_state_dict(
            {'fc.weight': torch.zeros(1)}, strict=False)
