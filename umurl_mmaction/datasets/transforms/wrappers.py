from collections.abc import Sequence
from typing import Callable, Optional, Union

import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform, Compose, RandomChoice
from torch import Tensor

from ...registry import mmaction_scope
from ...skeleton.augment import map_joints
from ...skeleton.batch import PackedClips
from ...skeleton.clip_generator import ClipGenerator, uniform
from ...skeleton.temporal import (
    crop_resize_packed,
    crop_resize_taps,
    weigh_frames,
)
from .augment import JointMapTransform, TemporalCropResize

# Views of about 40 kB each: 64 of them fit in the cache of a CPU.
CLIPS_IN_CACHE = 64


def draw_maps(transforms: Sequence, num: int, num_joints: int,
              num_coords: int, generator: Optional[ClipGenerator]) -> Tensor:
    """Draw the product of the transforms' maps: (num, V, C, C)."""
    device = generator.device if generator else None
    maps = None
    for transform in transforms:
        if isinstance(transform, JointMapTransform):
            own = transform.draw_maps(num, num_joints, num_coords, generator)
        elif isinstance(transform, RandomChoice):
            options = [
                draw_maps(option, num, num_joints, num_coords, generator)
                for option in transform.transforms
            ]
            # On the CPU, so that nothing waits for a GPU.
            odds = torch.tensor(transform.prob or [1.] * len(options))
            sums = odds.cumsum(0)
            bounds = (sums / sums[-1]).tolist()
            draws = uniform(generator, num, 1, 1, 1)
            own = options[0]
            for bound, option in zip(bounds, options[1:]):
                own = torch.where(draws < bound, own, option)
        else:
            raise ValueError(f'{transform} works on one clip at a time: make '
                             'the views in the pipeline, or leave it out')
        maps = own if maps is None else maps @ own
    if maps is None:
        eye = torch.eye(num_coords, device=device)
        return eye.expand(num, num_joints, -1, -1)
    return maps


@TRANSFORMS.register_module()
class SkeletonMultiView(BaseTransform):
    """Make views of a clip, each by a pipeline on a copy of the clip.

    In a pipeline it makes the views of one clip. As ``views`` of
    ``SkeletonDataPreprocessor`` it makes the views of a batch on its device.

    Required Keys:

        - keypoint

    Added Keys:

        - views

    Args:
        transforms (list[list[dict]]): The pipelines.
        num_views (sequence of int, optional): Number of views of each
            pipeline. Defaults to one each; a single pipeline of
            ``SkeletonDataPreprocessor`` makes as many as the model takes.
    """

    def __init__(self,
                 transforms: Sequence[Sequence[Union[dict, Callable]]],
                 num_views: Union[Sequence[int], None] = None) -> None:
        self._given = num_views is not None
        self.num_views = list(num_views or [1] * len(transforms))
        if len(self.num_views) != len(transforms):
            raise ValueError(f'num_views={self.num_views} must have one '
                             f'number for each of {len(transforms)} pipelines')
        with mmaction_scope():
            self.pipelines = [Compose(pipeline) for pipeline in transforms]

    def fit(self, num_views: int, clip_len: int) -> None:
        """Fit the views to a model.

        Args:
            num_views (int): Views of a clip.
            clip_len (int): Frames of a view; replaces that of the crop.

        Raises:
            ValueError: If ``num_views`` was given and makes another number.
        """
        if not self._given and len(self.pipelines) == 1:
            self.num_views = [num_views]
        if sum(self.num_views) != num_views:
            raise ValueError(f'num_views={self.num_views} of the views makes '
                             f'{sum(self.num_views)} views of a clip, the '
                             f'model takes {num_views}')
        for pipeline in self.pipelines:
            self._crop(pipeline).clip_len = clip_len

    def transform(self, results: dict) -> dict:
        """Add ``views``, a list of joint arrays (M, T, V, C)."""
        results['views'] = [
            pipeline(dict(results))['keypoint']
            for pipeline, count in zip(self.pipelines, self.num_views)
            for _ in range(count)
        ]
        return results

    def resize(self, clips: PackedClips, num_person: int) -> Tensor:
        """Resize whole clips to the length of a view, for evaluation.

        Args:
            clips (PackedClips): N clips.
            num_person (int): Bodies M.

        Returns:
            Tensor: Joints (N, M, clip_len, V, C), float32.
        """
        crop = self._crop(self.pipelines[0])
        whole = clips.num_frames
        return crop_resize_packed(clips, torch.zeros_like(whole), whole,
                                  crop.clip_len, num_person)

    @staticmethod
    def _crop(pipeline: Compose) -> TemporalCropResize:
        crop = (pipeline.transforms or [None])[0]
        if not isinstance(crop, TemporalCropResize):
            raise ValueError('views of a batch start with '
                             f'TemporalCropResize, got {crop}')
        return crop

    def batch(self,
              clips: PackedClips,
              num_person: int,
              generator: Optional[ClipGenerator] = None) -> list[Tensor]:
        """Make the views of many clips at once.

        Plain form: ``transform`` for each clip. Here all crops are drawn, the
        frames are summed with their weights, and each joint is multiplied by
        the product of the pipeline's maps.

        Args:
            clips (PackedClips): N clips.
            num_person (int): Bodies M of the views.
            generator (ClipGenerator, optional): That of the N clips, on their
                device. Defaults to torch's own generator.

        Returns:
            list[Tensor]: Joints (N, M, clip_len, V, C) of each view.

        Raises:
            ValueError: If a pipeline is not ``TemporalCropResize`` followed
                by ``JointMapTransform`` or ``RandomChoice`` of such.
        """
        views: list[Tensor] = []
        size = len(clips.num_frames)
        num_joints, num_coords = clips.frames.shape[1:]
        for pipeline, count in zip(self.pipelines, self.num_views):
            crop, rest = self._crop(pipeline), pipeline.transforms[1:]
            numbers = range(len(views), len(views) + count)
            own = generator.of_views(numbers) if generator else None
            repeated = clips.select(
                torch.arange(count * size, device=clips.frames.device) % size)
            taps = crop_resize_taps(
                repeated, *crop.draw_crops(repeated.num_frames, own),
                crop.clip_len, num_person)
            if rest:
                maps = draw_maps(rest, count * size, num_joints, num_coords,
                                 own).to(clips.frames.device)
                joints = self._mapped(clips.frames, *taps, maps)
            else:
                joints = weigh_frames(clips.frames, *taps)
            views.extend(joints.unflatten(0, (count, size)).unbind())
        return views

    @staticmethod
    def _mapped(frames: Tensor, rows: Tensor, weights: Tensor,
                maps: Tensor) -> Tensor:
        """Resize and map the joints: (N, M, clip_len, V, C)."""
        # Once for all chunks.
        frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
        joints = frames.new_empty(*rows.shape[:-1], *frames.shape[1:])
        # A CPU works in its cache, chunk by chunk.
        step = CLIPS_IN_CACHE if frames.is_cpu else len(rows)
        for chunk in zip(*(x.split(step) for x in (rows, weights, maps,
                                                   joints))):
            map_joints(weigh_frames(frames, *chunk[:2]), *chunk[2:])
        return joints

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(transforms={self.pipelines}, '
                f'num_views={self.num_views})')
