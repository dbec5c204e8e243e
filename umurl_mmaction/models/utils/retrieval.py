import torch
from torch import Tensor


def nearest_neighbors(query: Tensor,
                      gallery: Tensor,
                      num_neighbors: int = 1,
                      query_chunk: int = 2048,
                      gallery_chunk: int = 8192) -> tuple[Tensor, Tensor]:
    """The gallery's most similar features, without the Q x G matrix.

    Args:
        query (Tensor): (Q, F).
        gallery (Tensor): (G, F); of unit length, as the query, for the
            cosine.
        num_neighbors (int): Neighbours K, at most G. Defaults to 1.
        query_chunk (int): Rows of the part of the matrix that is in memory.
            Defaults to 2048.
        gallery_chunk (int): Its columns. Defaults to 8192.

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
        _search(part, gallery, num_neighbors, gallery_chunk)
        for part in query.split(query_chunk)
    ]
    similarity, index = (torch.cat(parts) for parts in zip(*found))
    return similarity, index


def _search(query: Tensor, gallery: Tensor, num_neighbors: int,
            chunk: int) -> tuple[Tensor, Tensor]:
    """``nearest_neighbors`` of one chunk of queries."""
    best = query.new_empty(len(query), 0)
    best_index = torch.empty_like(best, dtype=torch.long)
    for start in range(0, len(gallery), chunk):
        part = query @ gallery[start:start + chunk].T
        value, index = part.topk(min(num_neighbors, part.shape[1]), dim=1)
        best = torch.cat([best, value], dim=1)
        best_index = torch.cat([best_index, start + index], dim=1)
        # Of what was found before and in this chunk.
        best, order = best.topk(min(num_neighbors, best.shape[1]), dim=1)
        best_index = best_index.gather(1, order)
    return best, best_index
