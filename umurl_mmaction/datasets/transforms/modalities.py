from collections.abc import Mapping, Sequence
from typing import Union

import torch
from mmaction.registry import TRANSFORMS

from ...skeleton.layout import build_layout
from ...skeleton.modalities import check_modalities, generate_modalities
from .base import SkeletonTransform


@TRANSFORMS.register_module()
class GenSkeletonModalities(SkeletonTransform):
    """Generate the streams of the given modalities.

    An encoder generates its streams from joints by itself. This transform is
    for pipelines that give streams to ``SkeletonKNN`` or to an encoder.

    Required Keys:

        - keypoint
        - layout (optional)

    Added Keys:

        - modalities

    Args:
        modalities (sequence of str): Defaults to
            ``('joint', 'bone', 'motion')``.
        layout (str | dict, optional): Name or description of the layout.
            Defaults to the layout of the data, else ``'nturgb+d'``.
    """

    def __init__(self,
                 modalities: Sequence[str] = ('joint', 'bone', 'motion'),
                 layout: Union[str, Mapping, None] = None) -> None:
        check_modalities(modalities)
        self.modalities = tuple(modalities)
        self.layout = build_layout(layout) if layout is not None else None

    def transform(self, results: dict) -> dict:
        """Add ``modalities``, a dict of name -> (M, T, V, C)."""
        joints = torch.from_numpy(results['keypoint'])
        streams = generate_modalities(joints, self.modalities,
                                      self.layout_of(results))
        results['modalities'] = {
            name: stream.numpy()
            for name, stream in streams.items()
        }
        return results
