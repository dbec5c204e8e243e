from collections.abc import Mapping, Sequence
from typing import Union

import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ...skeleton.layout import build_layout
from ...skeleton.modalities import check_modalities, generate_modalities


@TRANSFORMS.register_module()
class GenSkeletonModalities(BaseTransform):
    """Generate the streams of the given modalities.

    The encoder does this by itself when it is given joints; this is for
    pipelines that hand it streams, or some of them.

    Required Keys:

        - keypoint

    Added Keys:

        - modalities

    Args:
        modalities (sequence of str): Defaults to
            ``('joint', 'bone', 'motion')``.
        layout (str | dict): Name or description of the layout. Defaults to
            ``'nturgb+d'``.
    """

    def __init__(self,
                 modalities: Sequence[str] = ('joint', 'bone', 'motion'),
                 layout: Union[str, Mapping] = 'nturgb+d') -> None:
        check_modalities(modalities)
        self.modalities = tuple(modalities)
        self.layout = build_layout(layout)

    def transform(self, results: dict) -> dict:
        """Add ``modalities``, a dict of name -> (M, T, V, C)."""
        joints = torch.from_numpy(results['keypoint'])
        streams = generate_modalities(joints, self.modalities, self.layout)
        results['modalities'] = {
            name: stream.numpy()
            for name, stream in streams.items()
        }
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(modalities={self.modalities}, '
                f'layout={self.layout.name!r})')
