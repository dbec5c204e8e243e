"""Several views in one pass of an encoder."""
from collections.abc import Mapping, Sequence
from typing import Callable

import torch
from torch import Tensor


def embed_views(views: Sequence[Mapping[str, Tensor]],
                modalities: Sequence[str],
                embed: Callable[[str, Tensor], Tensor]) -> list[list[Tensor]]:
    """Embed each modality in one call, on the streams of all views.

    Args:
        views (sequence of dict[str, Tensor]): The streams (N, ...) of each
            view; views may differ in modalities and N.
        modalities (sequence of str): Modalities, in the order of the results.
        embed (Callable): Maps a modality and its streams (R, ...) to (R,
            ...).

    Returns:
        list[list[Tensor]]: The embedded streams (N, ...) of each view.
    """
    embedded: list[list[Tensor]] = [[] for _ in views]
    for name in modalities:
        users = [i for i, view in enumerate(views) if name in view]
        if not users:
            continue
        streams = [views[i][name] for i in users]
        # Exporters would make a constant of len().
        sizes = [stream.shape[0] for stream in streams]
        rows = embed(name, torch.cat(streams))
        for i, own in zip(users, rows.split(sizes)):
            embedded[i].append(own)
    return embedded
