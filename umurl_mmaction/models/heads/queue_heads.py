from collections.abc import Sequence
from typing import Optional

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers.feature_queue import FeatureQueue
from ..losses.contrastive import (
    check_temperatures,
    neighbor_nce,
    queue_nce,
    unit_vectors,
)
from ..losses.relation import relation_consistency
from ..utils.gather import distinct
from ..utils.retrieval import nearest_neighbors


@MODELS.register_module()
class QueueContrastHead(BaseModule):
    """Tells the keys of a clip from those of former batches.

    The query is a projection by the online network, the keys are projections
    by the target, ``loss_NAME`` is the term. Several keys count together, and
    all of them enter the queue.

    Args:
        name (str): Name of the term.
        query (str): Part of the feature whose projection is the query.
            Defaults to ``'instance'``: the whole feature.
        keys (sequence of str, optional): Parts whose projections are the
            keys. Defaults to that of the query.
        channels (int): Channels of the projections. Defaults to 128.
        queue_size (int): Clips in the queue; as many keys of each part.
            Defaults to 2048.
        temperature (float): Defaults to 0.2, as in HiCo
            (https://github.com/HuiGuanLab/HiCo).
        loss_weight (float): Defaults to 1.
        renew_all (bool): If not set, only the first ``queue_size`` of the
            keys are replaced, and the others stay random for good: so does
            HiCo's code where there are several keys, as its queue's pointer
            wraps at the number of clips. Defaults to True.

    Attributes:
        parts (tuple[str]): Parts of the feature that the term needs.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(self,
                 name: str = 'contrast',
                 query: str = 'instance',
                 keys: Optional[Sequence[str]] = None,
                 channels: int = 128,
                 queue_size: int = 2048,
                 temperature: float = 0.2,
                 loss_weight: float = 1.0,
                 renew_all: bool = True) -> None:
        super().__init__()
        check_temperatures(temperature=temperature)
        self.name = name
        self.query = query
        self.keys = tuple(keys or (query, ))
        self.parts = (query, *self.keys)
        self.temperature = temperature
        self.loss_weight = loss_weight
        self.queue = FeatureQueue(
            len(self.keys) * queue_size, channels,
            None if renew_all else queue_size)

    def forward(self, online: dict[str, Tensor],
                target: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the term from projections of the whole batch, (B, D)."""
        keys = [target[part] for part in self.keys]
        loss = queue_nce(online[self.query], keys, self.queue.features,
                         self.temperature)
        self.queue.push(torch.cat([unit_vectors(key) for key in keys]))
        return {f'loss_{self.name}': self.loss_weight * loss}


@MODELS.register_module()
class RelationConsistencyHead(BaseModule):
    """Gives a clip the target's similarities to the clips of a queue.

    Args:
        name (str): Name of the term, ``loss_NAME``. Defaults to
            ``'relation'``.
        part (str): Part of the feature whose projections are compared.
            Defaults to ``'instance'``: the whole feature.
        channels (int): Channels of the projections. Defaults to 128.
        queue_size (int): Clips in the queue. Defaults to 2048.
        temperature (float): That of the online network. Defaults to 0.1, as
            in `ReSSL <https://arxiv.org/abs/2107.09282>`_.
        target_temperature (float): Less, so that the target's distribution is
            the sharper one. Defaults to 0.04 (same source).
        loss_weight (float): Defaults to 1.

    Attributes:
        parts (tuple[str]): Parts of the feature that the term needs.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(self,
                 name: str = 'relation',
                 part: str = 'instance',
                 channels: int = 128,
                 queue_size: int = 2048,
                 temperature: float = 0.1,
                 target_temperature: float = 0.04,
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        check_temperatures(
            temperature=temperature, target_temperature=target_temperature)
        if target_temperature >= temperature:
            raise ValueError(f'target_temperature={target_temperature} must '
                             f'be below temperature={temperature}')
        self.name = name
        self.part = part
        self.parts = (part, )
        self.temperature = temperature
        self.target_temperature = target_temperature
        self.loss_weight = loss_weight
        self.queue = FeatureQueue(queue_size, channels)

    def forward(self, online: dict[str, Tensor],
                target: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the term from projections of the whole batch, (B, D)."""
        loss = relation_consistency(online[self.part], target[self.part],
                                    self.queue.features, self.temperature,
                                    self.target_temperature)
        self.queue.push(unit_vectors(target[self.part]))
        return {f'loss_{self.name}': self.loss_weight * loss}


@MODELS.register_module()
class NearestNeighborContrastHead(BaseModule):
    """Predicts the nearest neighbour of another view of the clip.

    For each branch of ``UmURL``, with z the projection of its view, u that of
    the fused feature, Q the queue and p a predictor (Linear, batch norm, ReLU,
    Linear)::

        near(x) = the row of Q with the largest cosine to x
        term    = (nce(p(z), near(u)) + nce(p(u), near(z))) / 2

    and ``loss_neighbor`` is the mean over the branches. Then u enters the
    queue. The formula is NNCLR's (Dwibedi et al., ICCV 2021), as STARS
    (https://github.com/TaatiTeam/STARS, read in code) tunes an encoder with
    it; ``configs/_base_/schedules/nearest_neighbor_tuning.py`` has the
    settings. STARS leaves out a clip's own former features by its index,
    which heads do not see: keep the queue well below the number of clips, of
    which a pass takes each once.

    Args:
        channels (int): Channels of the projections.
        queue_size (int): Clips in the queue. Defaults to 128; STARS, on tens
            of thousands of clips, has 32,768.
        temperature (float): Defaults to 0.07, as in STARS.
        hidden_channels (int): Those of the predictor. Defaults to 4096, as in
            STARS.
        loss_weight (float): Defaults to 1.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(self,
                 channels: int,
                 queue_size: int = 128,
                 temperature: float = 0.07,
                 hidden_channels: int = 4096,
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        check_temperatures(temperature=temperature)
        if hidden_channels < 1:
            raise ValueError(f'hidden_channels={hidden_channels} must be at '
                             'least 1')
        self.temperature = temperature
        self.loss_weight = loss_weight
        self.queue = FeatureQueue(queue_size, channels)
        # Every rank has the whole batch: there is nothing to synchronise.
        self.predictor = nn.Sequential(
            nn.Linear(channels, hidden_channels, bias=False),
            nn.BatchNorm1d(hidden_channels), nn.ReLU(inplace=True),
            nn.Linear(hidden_channels, channels))

    def forward(self, uni: dict[str, Tensor],
                decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the term from projections of the whole batch, (B, D).

        Raises:
            ValueError: If the fused feature has several projections, or they
                do not fit the queue.
        """
        fused, *others = distinct(decomposed.values())
        if others:
            raise ValueError(
                'NearestNeighborContrastHead wants one projection of the '
                f'fused feature, got one for each of {list(decomposed)}: set '
                'model.share_neck=True, or name a single view in '
                'model.branches')
        self.queue.check(fused)
        near, prediction = self._nearest(fused), self.predictor(fused)
        terms = [
            neighbor_nce(*pair, self.temperature) for z in uni.values()
            for pair in ((self.predictor(z), near),
                         (prediction, self._nearest(z)))
        ]
        self.queue.push(unit_vectors(fused))
        return dict(loss_neighbor=self.loss_weight *
                    torch.stack(terms).mean())

    @torch.no_grad()
    def _nearest(self, projection: Tensor) -> Tensor:
        """Look up the nearest rows of the queue: (B, D) -> (B, D)."""
        rows = self.queue.features
        _, index = nearest_neighbors(unit_vectors(projection).to(rows), rows)
        return rows[index[:, 0]]
