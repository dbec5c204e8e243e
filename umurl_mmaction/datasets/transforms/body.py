import math
from collections.abc import Mapping, Sequence
from typing import Optional, Union

import torch
from mmaction.registry import TRANSFORMS
from torch import Tensor

from ...skeleton.body import add_noise, hide_joints, scale_bones, swap_sides
from ...skeleton.clip_generator import ClipGenerator, uniform
from ...skeleton.layout import Layout, build_layout
from .view_transform import ViewTransform


class BodyTransform(ViewTransform):
    """A ``ViewTransform`` that needs the layout."""

    def __init__(self,
                 layout: Optional[Union[str, Mapping]] = None) -> None:
        self.layout = None if layout is None else build_layout(layout)


@TRANSFORMS.register_module()
class LeftRightSwap(BodyTransform):
    """Swap left and right joints, as if a mirror showed the body.

    It is not random: put it into MMCV's ``RandomApply``. Classes that differ
    by their side alone, such as swipes to the left and to the right, look
    alike with it.

    Required Keys:

        - keypoint
        - layout (optional)

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the change is appended

    Args:
        mirror (bool): Negate the first coordinate as well, which points
            along the shoulders after ``SkeletonPreNormalize``. Otherwise,
            joints change their names only, as in AimCLR (Guo et al., AAAI
            2022). Defaults to True.
        layout (str | dict, optional): Name or description of the layout.
            Joints are paired by their names, such as ``left_hand`` and
            ``right_hand``. Defaults to that of the model in a batch, of the
            data in a pipeline, else of the model, else ``'nturgb+d'``.
    """

    def __init__(self,
                 mirror: bool = True,
                 layout: Optional[Union[str, Mapping]] = None) -> None:
        super().__init__(layout)
        self.mirror = mirror

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw nothing.

        Raises:
            ValueError: If no joint of the layout has a side, or the clip has
                another number of joints.
        """
        layout.check(shape, 'the clip')
        if not layout.pairs:
            raise ValueError(
                'LeftRightSwap wants joints with names such as left_hand and '
                f'right_hand; layout {layout.name!r} has no such pair')
        return super().draw(num, shape, layout, generator)

    def apply(self, joints: Tensor, drawn: Tensor, layout: Layout) -> Tensor:
        """Swap the sides of every clip."""
        return swap_sides(joints, layout, self.mirror)

    def describe(self, drawn: Tensor) -> str:
        """Return ``'left and right swapped'``."""
        return 'left and right swapped'


@TRANSFORMS.register_module()
class LimbScaling(BodyTransform):
    """Change the length of each bone, as if someone else did the same.

    A bone has one factor in the whole clip, the same on the left and on the
    right. Directions stay, and so does the centre joint (forward kinematics).
    The idea is that of SLiM (https://github.com/KAIST-VICLab/SLiM), which
    draws one factor for torso, arms and legs.

    Required Keys:

        - keypoint
        - layout (optional)

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the change is appended

    Args:
        amplitude (float): The factors are drawn from U(1 - amplitude, 1 +
            amplitude); below 1. Defaults to 0.15.
        layout (str | dict, optional): As for ``LeftRightSwap``.
    """

    def __init__(self,
                 amplitude: float = 0.15,
                 layout: Optional[Union[str, Mapping]] = None) -> None:
        if not 0 <= amplitude < 1:
            raise ValueError(f'amplitude={amplitude} must be at least 0 and '
                             'below 1')
        super().__init__(layout)
        self.amplitude = amplitude

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw a factor for the bone of each joint: (num, V)."""
        layout.check(shape, 'the clip')
        draws = uniform(generator, num, layout.num_joints)
        sides = [min(pair) for pair in enumerate(layout.mirrored)]
        return 1 + self.amplitude * (2 * draws[:, sides] - 1)

    def apply(self, joints: Tensor, drawn: Tensor, layout: Layout) -> Tensor:
        """Scale the bones of every clip."""
        return scale_bones(joints, drawn, layout)

    def describe(self, drawn: Tensor) -> str:
        """Return for example ``'bones of 88 to 112 %'``."""
        low, high = (100 * drawn).aminmax()
        return f'bones of {low:.0f} to {high:.0f} %'


@TRANSFORMS.register_module()
class BodyPartMask(BodyTransform):
    """Hide a part of the body over a stretch of time.

    The part is a joint with all that hangs from it, as seen from the centre
    joint, such as a hand, an arm or the head; it has at most half of the
    joints. Its coordinates become 0 in all bodies.

    Required Keys:

        - keypoint
        - layout (optional)

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the change is appended

    Args:
        ratio (tuple[float, float]): Range of the stretch's share of the
            frames, within 0..1. Defaults to ``(0.2, 0.6)``.
        layout (str | dict, optional): As for ``LeftRightSwap``.
    """

    def __init__(self,
                 ratio: Sequence[float] = (0.2, 0.6),
                 layout: Optional[Union[str, Mapping]] = None) -> None:
        if not 0 <= ratio[0] <= ratio[1] <= 1:
            raise ValueError(f'ratio={tuple(ratio)} must be an increasing '
                             'pair within 0..1')
        super().__init__(layout)
        self.ratio = (ratio[0], ratio[1])

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw which joints are hidden in which frames: bool (num, T, V)."""
        layout.check(shape, 'the clip')
        num_frames, num_joints = shape[1:3]
        draws = uniform(generator, num, 3)
        parts = [limb for limb in layout.limbs if 2 * len(limb) <= num_joints]
        in_part = torch.zeros(len(parts), num_joints, dtype=torch.bool)
        for i, part in enumerate(parts):
            in_part[i, list(part)] = True
        # Products may be rounded up to the excluded end.
        chosen = (draws[:, 0] * len(parts)).long().clamp(max=len(parts) - 1)
        low, high = self.ratio
        share = low + (high - low) * draws[:, 1]
        length = (share * num_frames).round().long()
        start = (draws[:, 2] * (num_frames - length + 1)).long()
        start = torch.minimum(start, num_frames - length)[:, None]
        frame = torch.arange(num_frames, device=draws.device)
        in_time = (frame >= start) & (frame < start + length[:, None])
        in_part = in_part.to(draws.device)[chosen]
        return in_time[:, :, None] & in_part[:, None]

    def apply(self, joints: Tensor, drawn: Tensor, layout: Layout) -> Tensor:
        """Hide the part of every clip."""
        return hide_joints(joints, drawn)

    def describe(self, drawn: Tensor) -> str:
        """Return for example ``'4 joints, 20 frames hidden'``."""
        num_joints = int(drawn.any(dim=0).sum())
        num_frames = int(drawn.any(dim=1).sum())
        return f'{num_joints} joints, {num_frames} frames hidden'


@TRANSFORMS.register_module()
class JointNoise(ViewTransform):
    """Add Gaussian noise to each coordinate of each joint in each frame.

    Missing joints stay missing.

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the change is appended

    Args:
        std (float): Standard deviation in the unit of the clips. Defaults to
            0.01: a centimetre in NTU RGB+D.
    """

    def __init__(self, std: float = 0.01) -> None:
        if std < 0:
            raise ValueError(f'std={std} must not be negative')
        self.std = std

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw the noise: (num, M, T, V, C)."""
        # The quantiles of numbers between -1 and 1, both excluded: the draws
        # are multiples of 2**-24.
        draws = 2 * uniform(generator, num, *shape) + (2**-24 - 1)
        return self.std * math.sqrt(2) * draws.erfinv()

    def apply(self, joints: Tensor, drawn: Tensor, layout: Layout) -> Tensor:
        """Add the noise to every clip."""
        return add_noise(joints, drawn)

    def describe(self, drawn: Tensor) -> str:
        """Return for example ``'noise of 0.01'``."""
        return f'noise of {self.std:g}'
