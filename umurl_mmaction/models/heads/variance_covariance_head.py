from typing import Dict

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..losses import covariance_term, variance_term


@MODELS.register_module()
class VarianceCovarianceHead(BaseModule):
    """Keeps every projection from collapsing (VICReg's two terms).

    Args:
        var_weight (float): Defaults to 5, as in the paper (Sec. 4.1).
        cov_weight (float): Defaults to 1, as in the paper (Sec. 4.1).
    """

    def __init__(self,
                 var_weight: float = 5.0,
                 cov_weight: float = 1.0) -> None:
        super().__init__()
        self.var_weight = var_weight
        self.cov_weight = cov_weight

    def forward(self, uni: Dict[str, Tensor],
                decomposed: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Projections of the whole batch, (B, D) each -> two loss terms."""
        features = [*uni.values(), *decomposed.values()]
        loss_var = sum(variance_term(feature) for feature in features)
        loss_cov = sum(covariance_term(feature) for feature in features)
        return dict(
            loss_var=self.var_weight * loss_var,
            loss_cov=self.cov_weight * loss_cov)
