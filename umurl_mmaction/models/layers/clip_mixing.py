from collections.abc import Sequence
from typing import Optional

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...datasets.transforms import BodyPartMask
from ...skeleton.clip_generator import ClipGenerator, uniform
from ...skeleton.layout import Layout


@MODELS.register_module()
class ClipMixing(BaseModule):
    """Draws how much of a clip comes from another clip of the batch.

    A clip is mixed as a whole, (1 - r) x_i + r x_j with r ~ U(ratio), or a
    part of the body of x_j, as of ``BodyPartMask``, replaces that of x_i over
    a stretch of time. The idea, with targets that are mixed alike, is known
    to us from a note on TranCLR (arXiv 2604.17914), whose code was not read;
    the formulas are those of mixup (Zhang et al., ICLR 2018) and CutMix (Yun
    et al., ICCV 2019).

    Args:
        prob (float): Probability that a clip is mixed. Defaults to 0.5.
        swap (float): Probability that a mixed clip gets a part of the other
            body, in place of a mixture of the whole. Defaults to 0.5.
        ratio (tuple[float, float]): Range of r, within 0..1. Defaults to
            ``(0.0, 0.5)``.
        frames (tuple[float, float]): Range of the stretch's share of the
            frames, within 0..1. Defaults to ``(0.2, 0.6)``.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(self,
                 prob: float = 0.5,
                 swap: float = 0.5,
                 ratio: Sequence[float] = (0.0, 0.5),
                 frames: Sequence[float] = (0.2, 0.6)) -> None:
        super().__init__()
        for name, value in dict(prob=prob, swap=swap).items():
            if not 0 <= value <= 1:
                raise ValueError(f'mixing.{name}={value} must be within 0..1')
        for name, (low, high) in dict(ratio=ratio, frames=frames).items():
            if not 0 <= low <= high <= 1:
                raise ValueError(f'mixing.{name}={(low, high)} must be an '
                                 'increasing pair within 0..1')
        self.prob = prob
        self.swap = swap
        self.ratio = (ratio[0], ratio[1])
        self.part = BodyPartMask(ratio=frames)

    # A captured graph would keep the numbers of its first step.
    @torch.compiler.disable
    def forward(self,
                num: int,
                shape: tuple[int, ...],
                layout: Layout,
                generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw the share of the other clip.

        Args:
            num (int): Number of clips.
            shape (tuple[int]): (M, T, V, C) of a clip.
            layout (Layout): The skeleton.
            generator (ClipGenerator, optional): That of the clips. Defaults
                to torch's own.

        Returns:
            Tensor: Share of each joint in each frame, (num, T, V), float32,
            within 0..1, on the generator's device.
        """
        mixed, swapped, ratio = uniform(generator, num, 3).unbind(1)
        low, high = self.ratio
        whole = (low + (high - low) * ratio)[:, None, None]
        part = self.part.draw(num, shape, layout, generator).to(whole)
        share = torch.where((swapped < self.swap)[:, None, None], part, whole)
        return share * (mixed < self.prob)[:, None, None]
