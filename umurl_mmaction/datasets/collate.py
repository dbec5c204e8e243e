from collections.abc import Sequence
from typing import Optional

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS

from ..skeleton.batch import ClipIndex, ClipIndices, RaggedClip, pack_clips


@FUNCTIONS.register_module()
def pack_collate(data_batch: Sequence[dict],
                 _scope_: Optional[str] = None) -> dict:
    """Collate like MMEngine's ``pseudo_collate``, but pack ragged clips.

    A worker then sends one tensor for the batch, not one for each clip.

    Args:
        data_batch (sequence of dict): Samples with ``inputs`` and
            ``data_samples``.
        _scope_ (str, optional): Not used. MMEngine adds it to the arguments
            in configs of other packages.

    Returns:
        dict: Lists over the samples. But ``inputs`` is a ``PackedClips`` if
        the samples are ``RaggedClip``, and a ``ClipIndices`` if they are
        ``ClipIndex``.
    """
    inputs = [sample['inputs'] for sample in data_batch]
    if not isinstance(inputs[0], (RaggedClip, ClipIndex)):
        return pseudo_collate(data_batch)
    rest = [{key: sample[key] for key in sample if key != 'inputs'}
            for sample in data_batch]
    if isinstance(inputs[0], RaggedClip):
        packed = pack_clips([clip.joints for clip in inputs])
        return dict(pseudo_collate(rest), inputs=packed)
    indices = torch.tensor([clip.position for clip in inputs])
    return dict(pseudo_collate(rest), inputs=ClipIndices(indices))
