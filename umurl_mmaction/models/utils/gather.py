"""Gathering of a batch that is split over the ranks."""
from collections.abc import Iterable
from typing import Any

import torch
from mmengine import dist
from torch import Tensor


class _AllGather(torch.autograd.Function):
    """Stack a tensor of all ranks: (...) -> (world_size, ...).

    A rank's gradient is the sum over the losses of all ranks.
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


def distinct(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Leave out what comes a second time, by identity; the order is kept.

    Not by a dict of ``id``, for which torch 2.11 compiled the caller twice.
    """
    found: list[Tensor] = []
    for tensor in tensors:
        if not any(tensor is other for other in found):
            found.append(tensor)
    return found


def gather_batch(features: list[Tensor]) -> list[Tensor]:
    """Concatenate each feature over all ranks; gradients flow back.

    A rank's gradient is the sum over the losses of all ranks. DDP averages
    gradients, so that the result is the gradient of one process with the
    whole batch.

    Args:
        features (list[Tensor]): (N, D) each; N may differ between ranks.

    Returns:
        list[Tensor]: (B, D) each, B the sum of N over the ranks. One process
        gets its own tensors back.
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
