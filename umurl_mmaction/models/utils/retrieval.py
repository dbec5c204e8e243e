"""Search of nearest neighbours, and their votes."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmaction.structures import ActionDataSample
from torch import Tensor
from torch.nn import functional as F

from .encoding import names_of

WEIGHTS = ('cosine', 'uniform')


def nearest_neighbors(query: Tensor,
                      gallery: Tensor,
                      num_neighbors: int = 1,
                      query_chunk: int = 2048,
                      gallery_chunk: int = 8192) -> tuple[Tensor, Tensor]:
    """Find the most similar features without the Q x G matrix.

    Plain form: ``(query @ gallery.T).topk(num_neighbors)``. Here the matrix
    is computed and searched chunk by chunk.

    Args:
        query (Tensor): (Q, F). If query and gallery have unit length, the
            inner product is the cosine.
        gallery (Tensor): (G, F).
        num_neighbors (int): Neighbours K, at most G. Defaults to 1.
        query_chunk (int): Queries in a chunk. Defaults to 2048.
        gallery_chunk (int): Gallery features in a chunk. Defaults to 8192.

    Returns:
        tuple[Tensor, Tensor]: Inner products, descending, and indices into
        the gallery, int64; (Q, K) each.

    Raises:
        ValueError: If the gallery has fewer than K features.
    """
    if not 1 <= num_neighbors <= len(gallery):
        raise ValueError(f'num_neighbors={num_neighbors} must be within '
                         f'1..{len(gallery)}, the size of the gallery')
    found = [
        _search_chunks(rows, gallery, num_neighbors, gallery_chunk)
        for rows in query.split(query_chunk)
    ]
    similarity, index = (torch.cat(chunks) for chunks in zip(*found))
    return similarity, index


def _search_chunks(query: Tensor, gallery: Tensor, num_neighbors: int,
                   chunk: int) -> tuple[Tensor, Tensor]:
    best = query.new_empty(len(query), 0)
    best_index = torch.empty_like(best, dtype=torch.long)
    for start in range(0, len(gallery), chunk):
        products = query @ gallery[start:start + chunk].T
        value, index = products.topk(
            min(num_neighbors, products.shape[1]), dim=1)
        best = torch.cat([best, value], dim=1)
        best_index = torch.cat([best_index, start + index], dim=1)
        best, order = best.topk(min(num_neighbors, best.shape[1]), dim=1)
        best_index = best_index.gather(1, order)
    return best, best_index


class Gallery(NamedTuple):
    """Encoded clips, and their labels.

    Attributes:
        features (Tensor): (G, F), unit length, float32.
        labels (Tensor): (G, ), int64; -1 for a clip without one.
        names (list[str]): Names of the G clips.
        center (Tensor): Subtracted from features before they are compared,
            (F, ).
        scale (Tensor): Multiplies the difference, (F, ).
        classes (tuple[str]): Names of the classes by label; () if the data
            have none.
        unlabelled (str): Name of a clip without a label; '' if all have one.
    """
    features: Tensor
    labels: Tensor
    names: list[str]
    center: Tensor
    scale: Tensor
    classes: tuple[str, ...] = ()
    unlabelled: str = ''

    def check_labels(self) -> None:
        """Raise ``ValueError`` if a clip has no label."""
        if self.unlabelled:
            raise ValueError(f'clip {self.unlabelled!r} of the gallery has no '
                             'label')

    def query(self, features: Tensor) -> Tensor:
        """Make features comparable to those of the gallery.

        Args:
            features (Tensor): (N, num_clips, F).

        Returns:
            Tensor: The mean over a sample's clips, centred and scaled as the
            gallery, of unit length, (N, F), float32.
        """
        means = features.mean(dim=1).float()
        return F.normalize((means - self.center) * self.scale, dim=1)

    def search(self,
               query: Tensor,
               num_neighbors: int = 1) -> tuple[Tensor, Tensor]:
        """Find the nearest clips by the cosine.

        Args:
            query (Tensor): (Q, F), unit length.
            num_neighbors (int): Neighbours K; all clips if there are fewer.
                Defaults to 1.

        Returns:
            tuple[Tensor, Tensor]: Cosines, descending, and indices, int64;
            (Q, K) each.
        """
        return nearest_neighbors(query, self.features,
                                 min(num_neighbors, len(self.labels)))

    def nearest_labels(self, features: Tensor) -> Tensor:
        """Label samples by their nearest clips.

        Args:
            features (Tensor): (N, num_clips, F).

        Returns:
            Tensor: (N, ), int64.

        Raises:
            ValueError: If a clip of the gallery has no label.
        """
        self.check_labels()
        _, index = self.search(self.query(features))
        return self.labels[index[:, 0]]

    def vote(self,
             cosines: Tensor,
             indices: Tensor,
             weights: str = 'cosine') -> Tensor:
        """Score the classes by the votes of the nearest clips.

        Args:
            cosines (Tensor): (Q, K), from :meth:`search`.
            indices (Tensor): (Q, K), from :meth:`search`.
            weights (str): Weight of a vote: ``'cosine'`` for (1 + cosine) /
                2, ``'uniform'`` for 1, as the paper's retrieval script
                counts. Defaults to ``'cosine'``.

        Returns:
            Tensor: Scores, (Q, num_classes), float32.

        Raises:
            ValueError: If ``weights`` is unknown, or a clip of the gallery
                has no label.
        """
        check_vote_weights(weights)
        self.check_labels()
        votes = (1 + cosines) / 2
        if weights == 'uniform':
            votes = torch.ones_like(cosines)
        scores = cosines.new_zeros(len(cosines), int(self.labels.max()) + 1)
        return scores.scatter_add_(1, self.labels[indices], votes)


def check_vote_weights(weights: str) -> None:
    """Raise ``ValueError`` if ``weights`` is unknown."""
    if weights not in WEIGHTS:
        raise ValueError(f'weights={weights!r} must be one of '
                         f'{", ".join(WEIGHTS)}')


def make_gallery(features: Tensor,
                 labels: Tensor,
                 names: Sequence[str],
                 standardize: bool = False) -> Gallery:
    """Make a gallery.

    Args:
        features (Tensor): (G, num_clips, F).
        labels (Tensor): (G, ), int64; -1 for a clip without one.
        names (sequence of str): Names of the G clips.
        standardize (bool): Whether to compare features that have mean 0 and
            deviation 1 over the gallery in each dimension. The paper compares
            them as they are. Defaults to False.

    Returns:
        Gallery: On the device of the features.
    """
    unlabelled = [
        name for name, label in zip(names, labels.tolist()) if label == -1
    ]
    means = features.mean(dim=1).float()
    center, scale = torch.zeros_like(means[0]), torch.ones_like(means[0])
    if standardize:
        center = means.mean(dim=0)
        deviation = (means - center).square().mean(dim=0).sqrt()
        # A dimension that is the same for all clips tells nothing.
        scale = torch.where(deviation > 1e-6, 1 / deviation, 0)
    gallery = Gallery(
        means, labels.to(features.device), list(names), center, scale,
        unlabelled=unlabelled[0] if unlabelled else '')
    return gallery._replace(features=gallery.query(features))


def build_gallery(features: Tensor,
                  samples: Sequence[ActionDataSample],
                  standardize: bool = False) -> Gallery:
    """Make a gallery from the result of ``encode_dataset``.

    Args:
        features (Tensor): (G, num_clips, F).
        samples (sequence of ActionDataSample): G data samples.
        standardize (bool): As for :func:`make_gallery`. Defaults to False.
    """
    none = torch.tensor([-1])
    labels = torch.cat([sample.get('gt_label', none) for sample in samples])
    return make_gallery(features, labels, names_of(samples), standardize)
