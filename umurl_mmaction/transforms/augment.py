from collections.abc import Sequence

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from torch import Tensor

from ..skeleton.augment import shear, transform_joints, zero_joints
from ..skeleton.temporal import crop_resize


def random_matrix(num_coords: int) -> np.ndarray:
    """A (C, C) matrix of U(-1, 1)."""
    return np.random.uniform(-1, 1, (num_coords, num_coords))


@TRANSFORMS.register_module()
class TemporalCropResize(BaseTransform):
    """Resize a random part of the clip, in time, to a fixed length.

    The part is floor(T * s) frames long with s ~ U(ratio), but at least
    ``min_len`` and at most T, and starts anywhere. ``ratio=(1, 1)`` takes
    the whole clip, as at test time.

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint
        - total_frames

    Args:
        ratio (tuple[float, float]): Range of the cropped share of the clip,
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

    @cache_randomness
    def draw_crop(self, num_frames: int) -> tuple[int, int]:
        """First frame and length of a crop of a clip of T frames."""
        share = np.random.uniform(*self.ratio)
        length = max(int(num_frames * share), self.min_len)
        length = min(length, num_frames)
        return np.random.randint(num_frames - length + 1), length

    def transform(self, results: dict) -> dict:
        """Resample ``keypoint``, (M, T, V, C) -> (M, clip_len, V, C)."""
        keypoint = torch.from_numpy(results['keypoint'])
        start, length = self.draw_crop(keypoint.shape[1])
        results['keypoint'] = crop_resize(keypoint, start, length,
                                          self.clip_len).numpy()
        results['total_frames'] = self.clip_len
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(ratio={self.ratio}, '
                f'min_len={self.min_len}, clip_len={self.clip_len})')


@TRANSFORMS.register_module()
class JointCorruption(BaseTransform):
    """Spoil a random subset of the joints throughout the clip.

    With probability 1/2 they are set to 0, else multiplied, as row vectors,
    by a matrix of U(-1, 1).

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint

    Args:
        ratio (float): Share of the joints, within 0..1. Defaults to 0.6: 15
            of 25 joints (the paper's code).
    """

    def __init__(self, ratio: float = 0.6) -> None:
        if not 0 <= ratio <= 1:
            raise ValueError(f'ratio={ratio} must lie within 0..1')
        self.ratio = ratio

    @cache_randomness
    def draw_joints(self, num_joints: int) -> Tensor:
        """Indices of the joints to spoil, (round(ratio * V), )."""
        count = round(self.ratio * num_joints)
        return torch.from_numpy(
            np.random.choice(num_joints, count, replace=False))

    @cache_randomness
    def draw_to_zero(self) -> bool:
        """Whether the joints are set to 0."""
        return np.random.rand() < 0.5

    def transform(self, results: dict) -> dict:
        """Corrupt ``keypoint``, (M, T, V, C)."""
        keypoint = torch.from_numpy(results['keypoint'])
        joints = self.draw_joints(keypoint.shape[-2])
        if self.draw_to_zero():
            keypoint = zero_joints(keypoint, joints)
        else:
            matrix = torch.from_numpy(random_matrix(keypoint.shape[-1]))
            keypoint = transform_joints(keypoint, joints, matrix)
        results['keypoint'] = keypoint.numpy()
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(ratio={self.ratio})'


@TRANSFORMS.register_module()
class PoseShear(BaseTransform):
    """Shear all joints by one random matrix (AimCLR, Guo et al., AAAI 2022).

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint

    Args:
        amplitude (float): The off-diagonal entries are drawn from
            U(-amplitude, amplitude). Defaults to 1 (the paper's code).
    """

    def __init__(self, amplitude: float = 1.0) -> None:
        if amplitude < 0:
            raise ValueError(f'amplitude={amplitude} must not be negative')
        self.amplitude = amplitude

    @cache_randomness
    def draw_matrix(self, num_coords: int) -> np.ndarray:
        """A shear matrix (C, C) with unit diagonal."""
        matrix = self.amplitude * random_matrix(num_coords)
        np.fill_diagonal(matrix, 1)
        return matrix

    def transform(self, results: dict) -> dict:
        """Shear ``keypoint``, (M, T, V, C)."""
        keypoint = torch.from_numpy(results['keypoint'])
        matrix = torch.from_numpy(self.draw_matrix(keypoint.shape[-1]))
        results['keypoint'] = shear(keypoint, matrix).numpy()
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(amplitude={self.amplitude})'
