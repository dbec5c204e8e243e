from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from mmaction.registry import MODELS
from mmengine.dist import get_world_size
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor

from ..backbones import SkeletonEncoder
from ..data_preprocessors import SkeletonDataPreprocessor
from ..official.checks import check_weights


class SkeletonPretraining(BaseModel, metaclass=ABCMeta):
    """Base class of methods that compare views of a clip.

    A subclass sets ``num_views`` by :meth:`fit_views`, and ``heads``, and
    writes :meth:`loss` and :meth:`project`.

    Args:
        backbone (dict): A ``SkeletonEncoder``, which determines the layout.
        data_preprocessor (dict): Defaults to ``SkeletonDataPreprocessor``.
        init_cfg (dict, optional): MMEngine's initialisation.

    Attributes:
        modalities (tuple[str]): Modalities that are fused, those of the
            encoder.
        num_views (int): Views of a sample.
        heads (ModuleDict): Loss terms by name; each maps two dicts of
            projections to a dict of losses. MMEngine's, as those of the
            necks must be: torch's does not pass ``init_weights`` on.
    """

    # The start of weights whose shapes are checked on loading -> that of
    # their names in the paper's code, if it has them.
    checked_weights: dict[str, Optional[str]] = {'neck.': ''}
    # The settings that give them their shapes, if not those of the neck.
    size_settings: dict[str, str] = {}
    num_views: int
    heads: ModuleDict

    def __init__(self,
                 backbone: dict,
                 data_preprocessor: Mapping = dict(
                     type='SkeletonDataPreprocessor'),
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(MODELS.build(data_preprocessor), init_cfg)
        self.backbone: SkeletonEncoder = MODELS.build(backbone)
        self.modalities = self.backbone.modalities
        # The backbone checks its own weights.
        self._register_load_state_dict_pre_hook(self._check_weights)

    def fit_views(self, num_views: int) -> None:
        """Set the number of views, for the data preprocessor too."""
        self.num_views = num_views
        if isinstance(self.data_preprocessor, SkeletonDataPreprocessor):
            self.data_preprocessor.fit_views(num_views,
                                             self.backbone.input_shape,
                                             self.backbone.layout)

    def forward(self,
                inputs: Union[Sequence[Tensor], Tensor],
                data_samples: Optional[list] = None,
                mode: str = 'tensor') -> Union[dict, Tensor]:
        """Compute losses of a batch of views, or the fused feature of joints.

        Args:
            inputs (sequence of Tensor | Tensor): ``num_views`` joint arrays
                (N, M, T, V, C) in mode ``'loss'``, one in mode ``'tensor'``.
            data_samples (list, optional): Not used: the method needs no
                labels.
            mode (str): ``'loss'`` or ``'tensor'``. Defaults to ``'tensor'``.

        Returns:
            dict[str, Tensor] | Tensor: The loss terms, or (N, F).

        Raises:
            ValueError: If the mode does not fit the inputs.
        """
        if mode == 'loss' and not isinstance(inputs, Tensor):
            return self.loss(inputs)
        if mode == 'tensor' and isinstance(inputs, Tensor):
            return self.backbone(
                self.backbone.streams(inputs, self.modalities))
        raise ValueError(f"wanted is mode 'loss' on views or 'tensor' on a "
                         f'joint array, got mode {mode!r} on '
                         f'{type(inputs).__name__}; to evaluate, use '
                         'SkeletonKNN or RecognizerGCN')

    @abstractmethod
    def loss(self, views: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute the terms of the heads over the batch of all ranks.

        Args:
            views (sequence of Tensor): ``num_views`` joint arrays, (N, M, T,
                V, C).

        Returns:
            dict[str, Tensor]: Scalars.

        Raises:
            ValueError: If the views are not as wanted.
        """

    @abstractmethod
    def project(
        self, views: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Project this rank's part of the batch.

        Args:
            views (sequence of Tensor): As for :meth:`loss`.

        Returns:
            tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]: The fused
            feature (N, F), and by name the projections (N, D) that the heads
            compare.
        """

    def check_views(self, views: Sequence[Tensor], wanted: str) -> None:
        """Raise ``ValueError`` if views are too many or few, or one clip.

        Args:
            views (sequence of Tensor): Joint arrays, (N, M, T, V, C).
            wanted (str): What wants how many views, for the message.
        """
        if len(views) != self.num_views:
            raise ValueError(f'{len(views)} views were given, but {wanted}')
        if len(views[0]) * get_world_size() < 2:
            raise ValueError('pre-training on a batch of one sample: the '
                             'variance over the batch is not defined; set '
                             'batch_size to 2 or more')

    def apply_heads(self, first: dict[str, Tensor],
                    second: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the terms of all heads.

        Args:
            first (dict[str, Tensor]): Projections by name, (B, D).
            second (dict[str, Tensor]): Those they are compared with.

        Returns:
            dict[str, Tensor]: Scalars.

        Raises:
            ValueError: If two heads compute terms of one name, of which one
                would be lost.
        """
        losses: dict[str, Tensor] = {}
        for name, head in self.heads.items():
            for term, value in head(first, second).items():
                if term in losses:
                    raise ValueError(
                        f'model.heads.{name} computes {term!r}, as another '
                        'head does: give them names of their own')
                losses[term] = value
        return losses

    def _check_weights(self, state_dict: dict[str, Tensor], prefix: str,
                       *args: Any) -> None:
        """Refuse weights of another size."""
        for part, official in self.checked_weights.items():
            sizes = self.size_settings.get(
                part, 'in_channels and out_channels of the neck')
            check_weights(
                self,
                state_dict,
                prefix,
                part=part,
                required=None,
                size_hint=f'{sizes} must be those of the pre-training',
                official=official)
