
import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..losses.variance_covariance import variance_covariance
from ..utils.gather import add_shards, own_shard


@MODELS.register_module()
class VarianceCovarianceHead(BaseModule):
    """Keeps every projection from collapsing (VICReg's two terms).

    Each rank computes its own rows of the covariances.

    Args:
        var_weight (float): Defaults to 5 (``pretrain.py`` of the paper's
            code).
        cov_weight (float): Defaults to 1 (likewise).
    """

    def __init__(self,
                 var_weight: float = 5.0,
                 cov_weight: float = 1.0) -> None:
        super().__init__()
        self.var_weight = var_weight
        self.cov_weight = cov_weight

    def forward(self, uni: dict[str, Tensor],
                decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute both terms from projections of the whole batch, (B, D)."""
        shard = own_shard()
        variances, covariances = zip(
            *(variance_covariance(feature, shard)
              for feature in (*uni.values(), *decomposed.values())))
        loss_var = torch.stack(variances).sum()
        loss_cov = add_shards(torch.stack(covariances).sum())
        return dict(
            loss_var=self.var_weight * loss_var,
            loss_cov=self.cov_weight * loss_cov)
