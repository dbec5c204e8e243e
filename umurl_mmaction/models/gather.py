"""The whole batch from the shares of all processes."""

import torch
from mmengine import dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather


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
    padding = stacked.new_zeros(
        max(shares) - len(stacked), *stacked.shape[1:])
    gathered = all_gather(torch.cat([stacked, padding]))
    whole = torch.cat(
        [part[:share] for part, share in zip(gathered, shares)])
    return list(whole.unbind(dim=1))
