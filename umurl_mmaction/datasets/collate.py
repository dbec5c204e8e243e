from collections.abc import Sequence
from typing import Optional

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch import Tensor

from ..skeleton.packed import pack_clips


@FUNCTIONS.register_module()
def pack_collate(data_batch: Sequence[dict],
                 _scope_: Optional[str] = None) -> dict:
    """MMEngine's ``pseudo_collate``, with ragged clips in one tensor.

    A worker then hands over a batch as a whole rather than clip by clip.

    Args:
        data_batch (sequence of dict): Samples with ``inputs`` and
            ``data_samples``.
        _scope_ (str, optional): What MMEngine adds to the arguments in
            configs of other packages. Unused.

    Returns:
        dict: Lists over the samples, but ``inputs`` is a ``PackedClips`` if
        each is a clip (M, T, V, C), and a tensor (N, ) if each is an index.
    """
    data = pseudo_collate(data_batch)
    first = data['inputs'][0]
    if isinstance(first, Tensor) and first.dim() == 4:
        data['inputs'] = pack_clips(data['inputs'])
    elif isinstance(first, Tensor) and first.dim() == 0:
        data['inputs'] = torch.stack(data['inputs'])
    return data
