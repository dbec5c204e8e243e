
import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..gather import add_parts, own_part
from ..losses import covariance_term, variance_term


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
        """Projections of the whole batch, (B, D) each -> two loss terms."""
        features = [*uni.values(), *decomposed.values()]
        loss_var = torch.stack([variance_term(x) for x in features]).sum()
        part = own_part()
        loss_cov = add_parts(
            torch.stack([covariance_term(x, part) for x in features]).sum())
        return dict(
            loss_var=self.var_weight * loss_var,
            loss_cov=self.cov_weight * loss_cov)
