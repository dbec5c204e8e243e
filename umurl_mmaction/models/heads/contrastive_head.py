import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..losses.contrastive import check_temperatures, info_nce


@MODELS.register_module()
class ContrastiveHead(BaseModule):
    """Tells the fused feature of a sample from those of other samples.

    The pairs are those of ``IntraModalConsistencyHead``: each modality's
    projection and the fused feature's. The other samples of the batch are the
    negatives.

    Args:
        temperature (float): Defaults to 0.2, as in HiCo
            (https://github.com/HuiGuanLab/HiCo).
        loss_weight (float): Defaults to 1.

    Raises:
        ValueError: If the temperature is not above 0.
    """

    def __init__(self,
                 temperature: float = 0.2,
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        check_temperatures(temperature=temperature)
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, uni: dict[str, Tensor],
                decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the term from projections of the whole batch, (B, D)."""
        losses = [
            info_nce(uni[m], decomposed[m], self.temperature) for m in uni
        ]
        return dict(loss_contrast=self.loss_weight * torch.stack(losses).sum())
