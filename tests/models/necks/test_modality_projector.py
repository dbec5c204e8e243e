"""The projector works with settings of a user's config."""
import pytest
import torch
from mmengine.config import Config
from mmengine.model import convert_sync_batchnorm
from mmengine.runner import Runner
from torch import nn

from umurl_mmaction.models import ModalityProjector
from umurl_mmaction.models.layers.sync_batch_norm import SyncBatchNorm1d


def plain():
    return nn.Sequential(
        nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16),
        nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 24))


def test_keys_are_those_of_plain_batch_norms():
    projector, mlp = ModalityProjector(16, 24), plain()
    mlp.load_state_dict(projector.mlp.state_dict())
    x = torch.randn(5, 16)
    torch.testing.assert_close(projector(x), mlp(x), rtol=0, atol=0)


def norms(model):
    return [type(x) for x in model.modules() if hasattr(x, 'running_mean')]


def test_torchs_layer_takes_its_place_where_a_user_asks_for_it():
    """Convert a model as `sync_bn='torch'` does in a launched run."""
    projector = ModalityProjector(16, 24)
    state = projector.state_dict()
    converted = convert_sync_batchnorm(projector, 'torch')
    assert norms(converted) == [nn.SyncBatchNorm] * 2
    torch.testing.assert_close(
        converted.state_dict(), state, rtol=0, atol=0)
    # Without a process group torch's layer takes tensors on a CPU too.
    other = ModalityProjector(16, 24)
    other.load_state_dict(state)
    batches = [torch.randn(5, 16), torch.randn(7, 16)]
    torch.testing.assert_close(
        converted.forward_batches(batches), other.forward_batches(batches))
    torch.testing.assert_close(converted.state_dict(), other.state_dict())


@pytest.mark.parametrize('sync_bn', [None, 'torch'])
def test_one_process_keeps_our_layer(tmp_path, sync_bn):
    runner = Runner(
        model=ModalityProjector(16, 24),
        work_dir=str(tmp_path),
        experiment_name=f'projector-{sync_bn}',
        cfg=Config(dict(sync_bn=sync_bn)))
    assert norms(runner.model) == [SyncBatchNorm1d] * 2
