import torch
from mmaction.registry import MODELS
from mmengine.dist import get_rank, get_world_size
from mmengine.model import BaseModule
from torch import Tensor

from ..layers.all_reduce import AllReduceSum
from ..losses.variance_covariance import variance_covariance
from ..utils.gather import distinct


@MODELS.register_module()
class VarianceCovarianceHead(BaseModule):
    """Keeps every projection from collapsing (VICReg's two terms).

    Each rank computes one shard of the covariances.

    Args:
        var_weight (float): Defaults to 5 (``pretrain.py`` of the paper's
            code).
        cov_weight (float): Defaults to 1 (same file).
    """

    def __init__(self,
                 var_weight: float = 5.0,
                 cov_weight: float = 1.0) -> None:
        super().__init__()
        self.var_weight = var_weight
        self.cov_weight = cov_weight

    def forward(self, uni: dict[str, Tensor],
                decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute both terms from projections of the whole batch, (B, D).

        A projection that several branches share counts once.
        """
        shard = get_rank(), get_world_size()
        features = distinct([*uni.values(), *decomposed.values()])
        variances, covariances = zip(
            *(variance_covariance(feature, shard) for feature in features))
        loss_var = torch.stack(variances).sum()
        loss_cov = AllReduceSum.apply(torch.stack(covariances).sum())
        return dict(
            loss_var=self.var_weight * loss_var,
            loss_cov=self.cov_weight * loss_cov)
