"""Batch norm over processes equals batch norm of the whole batch."""
import pytest
import torch
import torch.multiprocessing as mp
from distributed_layer import work
from torch import distributed as dist
from torch import nn
from torch.nn.modules._functions import SyncBatchNorm as TorchSyncBatchNorm
from torch.testing import assert_close

from umurl_mmaction.models.layers.sync_batch_norm import SyncBatchNorm1d


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_share_the_statistics_of_the_whole_batch(world_size, tmp_path):
    mp.spawn(
        work, (world_size, f'file://{tmp_path}/rendezvous', 'cpu'),
        nprocs=world_size)


@pytest.mark.gpu
@pytest.mark.skipif(
    not torch.cuda.is_available(),
    reason='needs CUDA, and UMURL_TEST_GPU=1')
def test_ranks_share_the_statistics_on_cuda(tmp_path):
    mp.spawn(work, (2, f'file://{tmp_path}/rendezvous', 'cuda'), nprocs=2)


@pytest.fixture
def one_process(tmp_path):
    """A process group of this process alone."""
    dist.init_process_group(
        'gloo',
        init_method=f'file://{tmp_path}/rendezvous',
        rank=0,
        world_size=1)
    yield
    dist.destroy_process_group()


def assert_same(ours, theirs):
    """Two layers do the same to the last bit, in training and in eval."""
    ours.load_state_dict(theirs.state_dict())
    for training in (True, False):
        for x in torch.randn(2, 5, 4):
            assert_close(
                ours.train(training)(x),
                theirs.train(training)(x),
                rtol=0,
                atol=0)
    assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


def test_one_process_is_plain_batch_norm(one_process):
    assert_same(SyncBatchNorm1d(4), nn.BatchNorm1d(4))


def test_no_process_group_is_plain_batch_norm():
    assert_same(SyncBatchNorm1d(4), nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match='2D or 3D input'):
        SyncBatchNorm1d(4)(torch.zeros(2, 4, 2, 2))


class OnCuda(torch.Tensor):
    """A tensor that claims to be on a GPU."""
    is_cuda = True
    device = torch.device('cuda')


@pytest.mark.parametrize('settings', [
    dict(),
    dict(momentum=None),
    dict(affine=False),
    dict(track_running_stats=False),
], ids=str)
def test_cuda_gets_the_call_of_torchs_own_layer(one_process, monkeypatch,
                                                settings):
    calls = []
    monkeypatch.setattr(TorchSyncBatchNorm, 'apply',
                        lambda *args: calls.append(args))
    monkeypatch.setattr(dist, 'get_world_size', lambda group: 2)
    ours, theirs = SyncBatchNorm1d(4, **settings), nn.SyncBatchNorm(
        4, **settings)
    x = torch.randn(5, 4).as_subclass(OnCuda)
    for _ in range(2):
        ours(x), theirs(x)
    assert len(calls) == 4
    for got, want in zip(calls[::2], calls[1::2]):
        assert len(got) == len(want) == 9
        for a, b in zip(got, want):
            if isinstance(a, torch.Tensor):
                assert_close(a, b, rtol=0, atol=0)
            else:
                assert a is b or a == b
    assert_close(ours.state_dict(), theirs.state_dict())
