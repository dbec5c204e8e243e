"""The synchronised batch norm in one of several processes.

A module of its own because spawned processes import it by name.
"""
import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from umurl_mmaction.models.layers.sync_batch_norm import SyncBatchNorm1d


def check(sizes,
          device,
          tail=(),
          steps=3,
          offset=0.,
          dtype=torch.float64,
          tolerance=None,
          **settings):
    """The layer on shares of a batch against one BatchNorm on all of it."""
    rank = dist.get_rank()
    tolerance = tolerance or {}
    torch.manual_seed(0)
    whole = nn.BatchNorm1d(4, **settings).to(device, dtype)
    if whole.affine:
        nn.init.normal_(whole.weight)
        nn.init.normal_(whole.bias)
    share = SyncBatchNorm1d(4, **settings).to(device, dtype)
    share.load_state_dict(whole.state_dict())
    for _ in range(steps):
        x = torch.randn(sum(sizes), 4, *tail).to(device, dtype) * 3 + offset
        scale = torch.randn(x.shape).to(device, dtype)
        mine = x.split(sizes)[rank].clone().requires_grad_()
        x.requires_grad_()
        expected, out = whole(x), share(mine)
        assert out.dtype == dtype
        (expected * scale).sum().backward()
        (out * scale.split(sizes)[rank]).sum().backward()
        assert_close(out, expected.split(sizes)[rank], **tolerance)
        assert_close(mine.grad, x.grad.split(sizes)[rank], **tolerance)
    for ours, theirs in zip(share.parameters(), whole.parameters()):
        dist.all_reduce(ours.grad)
        assert_close(ours.grad, theirs.grad, **tolerance)
    for ours, theirs in zip(share.buffers(), whole.buffers()):
        assert_close(ours, theirs, **tolerance)
    # Evaluation is local.
    if rank == 0:
        assert_close(share.eval()(x), whole.eval()(x), **tolerance)


def check_ddp(size, device):
    """DDP takes the layer. The input of a first layer needs no gradient."""
    torch.manual_seed(0)
    model = DistributedDataParallel(
        nn.Sequential(SyncBatchNorm1d(4), nn.Linear(4, 2)).to(device))
    with torch.autocast(device, dtype=torch.bfloat16):
        out = model(torch.randn(size, 4).to(device))
    out.float().square().sum().backward()
    for parameter in model.parameters():
        grad = parameter.grad.clone()
        dist.all_reduce(grad)
        assert_close(grad / dist.get_world_size(), parameter.grad)


def work_nccl(rank, world_size, address):
    """NCCL takes one process for each GPU."""
    torch.cuda.set_device(rank)
    dist.init_process_group(
        'nccl', init_method=address, rank=rank, world_size=world_size)
    check([2, 5, 3][:world_size], 'cuda')
    dist.barrier()
    dist.destroy_process_group()


def work(rank, world_size, address, device):
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', init_method=address, rank=rank, world_size=world_size)
    sizes = [2, 5, 3][:world_size]
    check(sizes, device)
    check(sizes, device, tail=(6, ))
    check(sizes, device, momentum=None)
    check(sizes, device, affine=False)
    check(sizes, device, track_running_stats=False)
    check([1] * world_size, device)
    # One pass over E[x^2] - E[x]^2 would lose all digits here.
    check(
        sizes,
        device,
        steps=1,
        offset=1e4,
        dtype=torch.float32,
        tolerance=dict(rtol=1e-3, atol=5e-3))

    layer = SyncBatchNorm1d(4).to(device)
    half = layer(torch.randn(sizes[rank], 4).to(device, torch.bfloat16))
    assert half.dtype == torch.bfloat16

    check_ddp(sizes[rank], device)
    if device == 'cpu':
        # On CUDA, torch gives an empty share no gradients.
        check([0] + sizes[1:], device)
        # Too few values on all ranks together, so every rank says so.
        with pytest.raises(ValueError, match='more than 1 value per channel'):
            SyncBatchNorm1d(2)(torch.zeros(1 if rank == 0 else 0, 2))
    # A DDP model that outlives its process group may wait forever.
    dist.barrier()
    dist.destroy_process_group()
