from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..losses.consistency import (
    instance_consistency,
    inter_modal_consistency,
    intra_modal_consistency,
)


@MODELS.register_module()
class IntraModalConsistencyHead(BaseModule):
    """Keeps the fused feature faithful to every modality.

    Args:
        loss_weight (float): Defaults to 5 (``pretrain.py`` of the paper's
            code).
    """

    def __init__(self, loss_weight: float = 5.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, uni: dict[str, Tensor],
                decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the term from projections of the whole batch, (B, D)."""
        loss = intra_modal_consistency(uni, decomposed)
        return dict(loss_intra=self.loss_weight * loss)


@MODELS.register_module()
class InterModalConsistencyHead(BaseModule):
    """Pulls the uni-modal features of a sample together.

    Args:
        loss_weight (float): Defaults to 5 (``pretrain.py`` of the paper's
            code).
    """

    def __init__(self, loss_weight: float = 5.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, uni: dict[str, Tensor],
                decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the term from projections of the whole batch, (B, D)."""
        return dict(loss_inter=self.loss_weight * inter_modal_consistency(uni))


@MODELS.register_module()
class InstanceConsistencyHead(BaseModule):
    """Turns the two features of a sample towards each other.

    Args:
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, uni: dict[str, Tensor],
                decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the term from projections of the whole batch, (B, D)."""
        loss = instance_consistency(uni, decomposed)
        return dict(loss_instance=self.loss_weight * loss)
