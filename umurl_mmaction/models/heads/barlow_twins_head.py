import torch
from mmaction.registry import MODELS
from mmengine.dist import get_rank, get_world_size
from mmengine.model import BaseModule
from torch import Tensor

from ..layers.all_reduce import AllReduceSum
from ..losses.barlow_twins import barlow_twins


@MODELS.register_module()
class BarlowTwinsHead(BaseModule):
    """Makes the dimensions of a feature agree between views, and differ.

    The pairs are those of ``IntraModalConsistencyHead``: each branch's
    projection and the fused feature's. Each rank computes one shard of the
    redundancy.

    Args:
        redundancy_weight (float): Weight of the redundancy beside the
            invariance. Defaults to 0.005 (Sec. 3 of `Barlow Twins
            <https://arxiv.org/abs/2103.03230>`_).
        loss_weight (float): Weight of both. Defaults to 1.

    Raises:
        ValueError: If the weight of the redundancy is negative.
    """

    def __init__(self,
                 redundancy_weight: float = 0.005,
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        if redundancy_weight < 0:
            raise ValueError(
                f'redundancy_weight={redundancy_weight} must be 0 or more')
        self.redundancy_weight = redundancy_weight
        self.loss_weight = loss_weight

    def forward(self, uni: dict[str, Tensor],
                decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute both terms from projections of the whole batch, (B, D)."""
        shard = get_rank(), get_world_size()
        invariances, redundancies = zip(
            *(barlow_twins(uni[m], decomposed[m], shard) for m in uni))
        invariance = torch.stack(invariances).sum()
        redundancy = AllReduceSum.apply(torch.stack(redundancies).sum())
        weight = self.loss_weight
        return dict(
            loss_invariance=weight * invariance,
            loss_redundancy=weight * self.redundancy_weight * redundancy)
