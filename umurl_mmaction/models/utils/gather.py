"""The whole batch, and sums over it, from the shares of all ranks."""
from typing import Any

import torch
from mmengine import dist
from torch import Tensor

from ..layers.all_reduce import AllReduceSum


class _AllGather(torch.autograd.Function):
    """Stack a tensor of all ranks: (...) -> (world_size, ...).

    A rank's gradient is the sum of what all ranks' losses send back to it.
    ``torch.distributed.nn.functional.all_gather`` does the same, but is
    deprecated, and its successor is missing in older versions.
    """

    @staticmethod
    def forward(ctx: Any, share: Tensor) -> Tensor:
        return torch.stack(dist.all_gather(share.contiguous()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.contiguous()
        dist.all_reduce(grad)
        return grad[dist.get_rank()]


def own_shard() -> tuple[int, int]:
    """This rank's shard of shared work: (rank, world size)."""
    return dist.get_rank(), dist.get_world_size()


def add_shards(shard: Tensor) -> Tensor:
    """Sum the ranks' shards of a loss; gradients flow back.

    Args:
        shard (Tensor): Scalar, this rank's shard.

    Returns:
        Tensor: Scalar, the same on every rank.
    """
    if dist.get_world_size() == 1:
        return shard
    return AllReduceSum.apply(shard)


def gather_batch(features: list[Tensor]) -> list[Tensor]:
    """Concatenate each feature over all ranks; gradients flow back.

    The gradient that a rank receives is the sum over the ranks' losses, so
    that with DDP's averaging it equals that of one process with the whole
    batch. The shares may differ in size.

    Args:
        features (list[Tensor]): (N, D) each, N the rank's share.

    Returns:
        list[Tensor]: (B, D) each, B the sum of N over the ranks; the same
        tensors where there is one process.
    """
    if dist.get_world_size() == 1:
        return features
    stacked = torch.stack(features, dim=1)
    num_samples = torch.tensor([len(stacked)], device=stacked.device)
    shares = [int(share) for share in dist.all_gather(num_samples)]
    padding = stacked.new_zeros(max(shares) - len(stacked), *stacked.shape[1:])
    gathered = _AllGather.apply(torch.cat([stacked, padding]))
    whole = torch.cat(
        [rows[:share] for rows, share in zip(gathered, shares)])
    return list(whole.unbind(dim=1))
