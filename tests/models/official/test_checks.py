"""The check of checkpoints works for any encoder."""
import pytest
import torch
from torch import nn

from umurl_mmaction.models.official.checks import check_weights


class Encoder(nn.Module):
    """An encoder of one layer that the paper's code does not have."""

    def __init__(self, width=3, **kwargs):
        super().__init__()
        self.embedding = nn.Linear(2, width)
        self.layers = nn.Linear(width, width, bias=False)
        self.kwargs = kwargs
        self._register_load_state_dict_pre_hook(self.check)

    def check(self, state_dict, prefix, *args):
        check_weights(self, state_dict, prefix, **self.kwargs)


class Model(nn.Module):

    def __init__(self, width=3, **kwargs):
        super().__init__()
        self.backbone = Encoder(width, **kwargs)
        self.fc = nn.Linear(width, 2)


@pytest.mark.parametrize('kind', [Encoder, Model])
@pytest.mark.parametrize('strict', [True, False])
def test_weights_that_fit_are_loaded(kind, strict):
    first, second = kind(), kind()
    second.load_state_dict(first.state_dict(), strict=strict)
    torch.testing.assert_close(second.state_dict(), first.state_dict())


@pytest.mark.parametrize('change, message', [
    (lambda w: w.update({'backbone.layers.weight': torch.zeros(4, 4)}),
     r'has backbone\.layers\.weight of shape \(4, 4\), this Encoder wants '
     r'\(3, 3\); its settings must be those of the pre-training$'),
    (lambda w: w.pop('backbone.embedding.bias'),
     r'has no backbone\.embedding\.bias, this Encoder wants it of shape '
     r'\(3,\); its settings must be those .*, and the file whole$'),
    (lambda w: w.update({'backbone.second.weight': torch.zeros(1)}),
     r'has backbone\.second\.weight of shape \(1,\), this Encoder has no such '
     'weight; its settings'),
    (lambda w: [w.pop(key) for key in list(w) if key.startswith('backbone')],
     r"holds no weight of Encoder: wanted are keys like 'backbone\.embedding"
     r"\.weight' of shape \(3, 2\), got none in 'backbone\.'"),
])
def test_weights_that_do_not_fit_are_refused(change, message):
    weights = Model().state_dict()
    change(weights)
    with pytest.raises(ValueError, match=message):
        Model().load_state_dict(weights, strict=False)


def test_only_required_weights_must_be_common():
    model = Model(required='layers.', depth_hint='num_layers must agree')
    weights = model.state_dict()
    del weights['backbone.embedding.weight']
    weights['backbone.other.weight'] = torch.zeros(1)
    model.load_state_dict(weights, strict=False)
    del weights['backbone.layers.weight']
    with pytest.raises(ValueError, match='num_layers must agree, and the'):
        model.load_state_dict(weights, strict=False)


def test_names_of_the_paper_are_not_read_without_being_asked():
    """Another encoder leaves a key of the paper's code unchanged."""
    weights = Model().state_dict()
    weights['backbone.mm_fusion.t_fusion.0.weight'] = torch.zeros(1)
    with pytest.raises(ValueError, match=r'has backbone\.mm_fusion\.t_fusion'):
        Model().load_state_dict(weights, strict=False)


def test_an_encoder_without_weights_is_loaded():
    module = nn.Identity()
    check_weights(module, {'fc.weight': torch.zeros(1)}, 'backbone.')
