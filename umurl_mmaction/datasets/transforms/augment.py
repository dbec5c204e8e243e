from collections.abc import Sequence
from typing import Optional

import torch
from mmaction.registry import TRANSFORMS
from torch import Tensor

from ...skeleton.augment import (
    axis_map,
    corruption_map,
    map_joints,
    rotation_map,
    shear_map,
)
from ...skeleton.clip_generator import ClipGenerator, uniform
from ...skeleton.layout import Layout
from ...skeleton.temporal import crop_resize
from .base import SkeletonTransform
from .normalize import check_choice
from .view_transform import ViewTransform


def draw_matrices(num: int, num_coords: int,
                  generator: Optional[ClipGenerator]) -> Tensor:
    """Draw matrices of U(-1, 1): (num, C, C), on the generator's device."""
    return 2 * uniform(generator, num, num_coords, num_coords) - 1


class JointMapTransform(ViewTransform):
    """Multiply each joint by a random matrix.

    A subclass writes ``draw``, of maps (num, V, C, C), and ``describe``.

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the result of ``describe``
          is appended
    """

    def apply(self, joints: Tensor, drawn: Tensor, layout: Layout) -> Tensor:
        """Multiply each joint by its map."""
        return map_joints(joints, drawn)


@TRANSFORMS.register_module()
class TemporalCropResize(SkeletonTransform):
    """Crop a random part of the clip in time, and resize it.

    The crop has floor(T * s) frames with s ~ U(ratio), but at least
    ``min_len`` and at most T. Its start is drawn uniformly. Tests use
    ``ratio=(1, 1)``, which takes the whole clip.

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint
        - total_frames
        - augmentations (optional): a list of str; the frames of the crop are
          appended

    Args:
        ratio (tuple[float, float]): Range of the crop's share of the clip,
            within 0..1. Defaults to ``(0.1, 1.0)`` (the paper's code).
        min_len (int): Shortest crop in frames. Defaults to 64.
        clip_len (int): Frames of the result. Defaults to 64.
    """

    def __init__(self,
                 ratio: Sequence[float] = (0.1, 1.0),
                 min_len: int = 64,
                 clip_len: int = 64) -> None:
        if not 0 <= ratio[0] <= ratio[1] <= 1:
            raise ValueError(f'ratio={tuple(ratio)} must be an increasing '
                             'pair within 0..1')
        if min_len < 1 or clip_len < 1:
            raise ValueError(f'min_len={min_len} and clip_len={clip_len} must '
                             'be at least 1')
        self.ratio = (ratio[0], ratio[1])
        self.min_len = min_len
        self.clip_len = clip_len

    def draw_crops(
        self,
        num_frames: Tensor,
        generator: Optional[ClipGenerator] = None
    ) -> tuple[Tensor, Tensor]:
        """Draw a crop of each clip.

        Args:
            num_frames (Tensor): Frames T of each clip, (...), int64.
            generator (ClipGenerator, optional): That of the clips. Defaults to
                torch's own.

        Returns:
            tuple[Tensor, Tensor]: First frame and length, (...), int64.
        """
        draws = uniform(generator, num_frames.numel(), 2)
        share, place = draws.to(num_frames.device).view(
            *num_frames.shape, 2).unbind(-1)
        low, high = self.ratio
        length = (num_frames * (low + (high - low) * share)).long()
        length = torch.minimum(length.clamp(min=self.min_len), num_frames)
        room = num_frames - length
        # The product may be rounded up to the excluded end.
        start = torch.minimum((place * (room + 1)).long(), room)
        return start, length

    def transform(self, results: dict) -> dict:
        """Resample ``keypoint``, (M, T, V, C) -> (M, clip_len, V, C)."""
        keypoint = torch.from_numpy(results['keypoint'])
        total = keypoint.shape[1]
        start, length = self.draw_crops(torch.tensor(total))
        if 'augmentations' in results:
            results['augmentations'].append(
                f'frames {start + 1} to {start + length} of {total}')
        results['keypoint'] = crop_resize(keypoint, start, length,
                                          self.clip_len).numpy()
        results['total_frames'] = self.clip_len
        return results


@TRANSFORMS.register_module()
class JointCorruption(JointMapTransform):
    """Corrupt a random subset of the joints in all frames.

    With probability 1/2, these joints are set to 0. Otherwise they are
    multiplied, as row vectors, by one matrix of U(-1, 1).

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the change is appended

    Args:
        ratio (float): Share of the joints, within 0..1. Defaults to 0.6: 15
            of 25 joints (the paper's code).
    """

    def __init__(self, ratio: float = 0.6) -> None:
        if not 0 <= ratio <= 1:
            raise ValueError(f'ratio={ratio} must lie within 0..1')
        self.ratio = ratio

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw maps that change round(ratio * V) joints of each clip."""
        num_joints, num_coords = shape[2:]
        draws = uniform(generator, num, num_joints + 1)
        chosen = draws[:, 1:].topk(
            round(self.ratio * num_joints), largest=False,
            sorted=False).indices
        joints = torch.zeros_like(draws[:, 1:], dtype=torch.bool)
        joints.scatter_(1, chosen, True)
        matrices = draw_matrices(num, num_coords, generator)
        to_zero = draws[:, 0] < 0.5
        return corruption_map(joints,
                              matrices.masked_fill(to_zero[:, None, None], 0))

    def describe(self, maps: Tensor) -> str:
        """Return for example ``'15 of 25 joints set to 0'``."""
        num_joints, num_coords = maps.shape[:2]
        changed = (maps != torch.eye(num_coords)).flatten(1).any(dim=1)
        what = 'distorted' if maps[changed].any() else 'set to 0'
        return f'{int(changed.sum())} of {num_joints} joints {what}'


@TRANSFORMS.register_module()
class PoseShear(JointMapTransform):
    """Shear all joints by one random matrix (AimCLR, Guo et al., AAAI 2022).

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the change is appended

    Args:
        amplitude (float): The off-diagonal entries are drawn from
            U(-amplitude, amplitude). Defaults to 1 (the paper's code).
    """

    def __init__(self, amplitude: float = 1.0) -> None:
        if amplitude < 0:
            raise ValueError(f'amplitude={amplitude} must not be negative')
        self.amplitude = amplitude

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw one matrix with unit diagonal for all joints of a clip."""
        num_joints, num_coords = shape[2:]
        matrices = self.amplitude * draw_matrices(num, num_coords, generator)
        matrices.diagonal(dim1=1, dim2=2).fill_(1)
        return shear_map(matrices, num_joints)

    def describe(self, maps: Tensor) -> str:
        """Return ``'sheared'``."""
        return 'sheared'


@TRANSFORMS.register_module()
class PoseRotation(JointMapTransform):
    """Turn a clip about the vertical, as if the camera stood elsewhere.

    In two dimensions, where the depth is not known, clips stay as they are:
    to narrow the body by the cosine of the angle gave worse features than
    nothing (``configs/umurl/ablations.md``).

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the change is appended

    Args:
        angle (float): The angle in radians is drawn from U(-angle, angle).
            Defaults to 0.5, about 29 degrees.
        up (str): The vertical axis, whichever way it points: ``'y'``, the
            second coordinate, as in NTU RGB+D, or ``'z'``, the third one.
            ``SkeletonPreNormalize`` leaves it where it is, but for the tilt
            of the shoulders. Defaults to ``'y'``.

    Raises:
        ValueError: If the angle is negative, or ``up`` is neither.
    """

    def __init__(self, angle: float = 0.5, up: str = 'y') -> None:
        if angle < 0:
            raise ValueError(f'angle={angle} must not be negative')
        check_choice('up', up, ('y', 'z'))
        self.angle = angle
        self.up = up

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw one rotation for all joints of a clip."""
        num_joints, num_coords = shape[2:]
        draws = uniform(generator, num)
        return rotation_map(self.angle * (2 * draws - 1), num_joints,
                            num_coords, self.up)

    def describe(self, maps: Tensor) -> str:
        """Return for example ``'turned by 12 degrees'``."""
        angle = maps[0, 0, 0].clamp(-1, 1).acos().rad2deg()
        return f'turned by {angle:.0f} degrees'


@TRANSFORMS.register_module()
class AxisDrop(JointMapTransform):
    """Set one coordinate of all joints to 0, in the whole clip.

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the change is appended
    """

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw the coordinate of each clip."""
        num_joints, num_coords = shape[2:]
        axis = (num_coords * uniform(generator, num)).long()
        # The product may be rounded up to the excluded end.
        axis = axis.clamp(max=num_coords - 1)
        return axis_map(axis, num_joints, num_coords)

    def describe(self, maps: Tensor) -> str:
        """Return for example ``'coordinate 3 set to 0'``."""
        axis = int(maps[0].diagonal().argmin())
        return f'coordinate {axis + 1} set to 0'
