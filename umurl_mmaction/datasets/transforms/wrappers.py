from collections.abc import Iterable, Sequence
from typing import Callable, NamedTuple, Optional, Union

import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import (
    BaseTransform,
    Compose,
    RandomApply,
    RandomChoice,
)
from torch import Tensor

from ...registry import mmaction_scope
from ...skeleton.batch import PackedClips
from ...skeleton.clip_generator import ClipGenerator, uniform
from ...skeleton.layout import LAYOUTS, Layout
from ...skeleton.temporal import (
    crop_resize_packed,
    crop_resize_taps,
    weigh_frames,
)
from .augment import JointMapTransform, TemporalCropResize
from .view_transform import ViewTransform

# Views of about 40 kB each: 64 of them fit in the cache of a CPU.
CLIPS_IN_CACHE = 64


class Step(NamedTuple):
    """An augmentation with what was drawn for a batch.

    Attributes:
        transform (ViewTransform): The augmentation.
        drawn (Tensor): What was drawn, (N, ...).
        layout (Layout): The skeleton.
        chosen (Tensor | None): Clips that it changes, (N, ), bool; None: all.
    """
    transform: ViewTransform
    drawn: Tensor
    layout: Layout
    chosen: Optional[Tensor] = None

    def only(self, chosen: Tensor) -> 'Step':
        """Leave the other clips as they are."""
        if self.chosen is not None:
            chosen = chosen & self.chosen
        return self._replace(chosen=chosen)

    def maps(self) -> Tensor:
        """The maps of a ``JointMapTransform``: (N, V, C, C)."""
        if self.chosen is None:
            return self.drawn
        eye = torch.eye(self.drawn.shape[-1], device=self.drawn.device)
        return torch.where(self.chosen[:, None, None, None], self.drawn, eye)

    def select(self, part: slice, device: torch.device) -> 'Step':
        """Select clips, on a device."""
        chosen = self.chosen
        return self._replace(
            drawn=self.drawn[part].to(device),
            chosen=None if chosen is None else chosen[part].to(device))

    def apply(self, joints: Tensor) -> Tensor:
        """Augment the chosen clips: (N, M, T, V, C) -> same."""
        changed = self.transform.apply(joints, self.drawn, self.layout)
        if self.chosen is None:
            return changed
        return torch.where(self.chosen[:, None, None, None, None], changed,
                           joints)


def draw_steps(transforms: Iterable, num: int,
               shape: tuple[int, ...], layout: Layout,
               generator: Optional[ClipGenerator]) -> list[Step]:
    """Draw the transforms of a pipeline for a batch.

    Args:
        transforms (iterable): Each a ``ViewTransform``, or ``RandomChoice``
            or ``RandomApply`` of such.
        num (int): Number of clips.
        shape (tuple[int]): (M, T, V, C) of a clip.
        layout (Layout): The skeleton.
        generator (ClipGenerator, optional): That of the clips. Defaults to
            torch's own.

    Returns:
        list[Step]: To be applied in this order.

    Raises:
        ValueError: If there is any other transform.
    """
    steps: list[Step] = []
    for transform in transforms:
        if isinstance(transform, ViewTransform):
            own = transform.layout or layout
            drawn = transform.draw(num, shape, own, generator)
            steps.append(Step(transform, drawn, own))
        elif isinstance(transform, RandomChoice):
            options = [
                draw_steps(option, num, shape, layout, generator)
                for option in transform.transforms
            ]
            # On the CPU, so that nothing waits for a GPU.
            odds = torch.tensor(transform.prob or [1.] * len(options))
            sums = odds.cumsum(0)
            bounds = [0., *(sums / sums[-1]).tolist()[:-1], 1.]
            draws = uniform(generator, num)
            steps += [
                step.only((low <= draws) & (draws < high))
                for low, high, option in zip(bounds, bounds[1:], options)
                for step in option
            ]
        elif isinstance(transform, RandomApply):
            option = draw_steps(transform, num, shape, layout, generator)
            draws = uniform(generator, num)
            steps += [step.only(draws < transform.prob) for step in option]
        else:
            raise ValueError(f'{transform} works on one clip at a time: make '
                             'the views in the pipeline, or leave it out')
    return steps


def merge_maps(steps: Iterable[Step]) -> list[Step]:
    """Replace successive joint maps by one step with their product."""
    merged: list[Step] = []
    for step in steps:
        if isinstance(step.transform, JointMapTransform):
            maps = step.maps()
            if merged and isinstance(merged[-1].transform, JointMapTransform):
                maps = merged.pop().drawn @ maps
            step = step._replace(drawn=maps, chosen=None)
        merged.append(step)
    return merged


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
        num_views (int | sequence of int, optional): Number of views of each
            pipeline. Defaults to one each; in pre-training, a single pipeline
            makes as many as the model takes.

    Raises:
        ValueError: If there is not one number for each pipeline.
    """

    def __init__(self,
                 transforms: Sequence[Sequence[Union[dict, Callable]]],
                 num_views: Union[int, Sequence[int], None] = None) -> None:
        self._given = num_views is not None
        if num_views is None or isinstance(num_views, int):
            num_views = [num_views or 1] * len(transforms)
        self.num_views = list(num_views)
        if len(self.num_views) != len(transforms):
            raise ValueError(f'num_views={self.num_views} must have one '
                             f'number for each of {len(transforms)} pipelines')
        with mmaction_scope():
            self.pipelines = [Compose(pipeline) for pipeline in transforms]
        self.layout = LAYOUTS['nturgb+d']

    def fit(self,
            num_views: int,
            clip_len: int,
            layout: Layout = LAYOUTS['nturgb+d']) -> None:
        """Fit the views to a model.

        Args:
            num_views (int): Views of a clip.
            clip_len (int): Frames of a view; replaces that of the crop.
            layout (Layout): Layout of clips that do not say their own.
                Defaults to ``'nturgb+d'``.

        Raises:
            ValueError: If ``num_views`` was given, or several pipelines, and
                they make another number.
        """
        if not self._given and len(self.pipelines) == 1:
            self.num_views = [num_views]
        if sum(self.num_views) != num_views:
            raise ValueError(
                f'num_views={self.num_views} of SkeletonMultiView makes '
                f'{sum(self.num_views)} views of a clip, the model takes '
                f'{num_views}: one for each of model.backbone.modalities (or '
                'of model.branches) and one for all together; leave num_views '
                'out of a single pipeline')
        for pipeline in self.pipelines:
            for transform in pipeline.transforms:
                if isinstance(transform, TemporalCropResize):
                    transform.clip_len = clip_len
        self.layout = layout

    def transform(self, results: dict) -> dict:
        """Add ``views``, a list of joint arrays (M, T, V, C)."""
        layout = results.get('layout') or self.layout
        results['views'] = [
            pipeline(
                dict(
                    results, layout=layout,
                    keypoint=results['keypoint'].copy()))['keypoint']
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

        Plain form: ``transform`` for each clip. Here all is drawn, the frames
        are summed with their weights, and each joint is multiplied by the
        product of successive maps.

        Args:
            clips (PackedClips): N clips.
            num_person (int): Bodies M of the views.
            generator (ClipGenerator, optional): That of the N clips, on their
                device. Defaults to torch's own generator.

        Returns:
            list[Tensor]: Joints (N, M, clip_len, V, C) of each view.

        Raises:
            ValueError: If a pipeline is not ``TemporalCropResize`` followed
                by what ``draw_steps`` takes.
        """
        views: list[Tensor] = []
        size = len(clips.num_frames)
        for pipeline, count in zip(self.pipelines, self.num_views):
            crop, rest = self._crop(pipeline), pipeline.transforms[1:]
            numbers = range(len(views), len(views) + count)
            own = generator.of_views(numbers) if generator else None
            repeated = clips.select(
                torch.arange(count * size, device=clips.frames.device) % size)
            taps = crop_resize_taps(
                repeated, *crop.draw_crops(repeated.num_frames, own),
                crop.clip_len, num_person)
            shape = (num_person, crop.clip_len, *clips.frames.shape[1:])
            steps = merge_maps(
                draw_steps(rest, count * size, shape, self.layout, own))
            joints = self._augmented(clips.frames, *taps, steps)
            views.extend(joints.unflatten(0, (count, size)).unbind())
        return views

    def _augmented(self, frames: Tensor, rows: Tensor, weights: Tensor,
                   steps: list[Step]) -> Tensor:
        """Resize and augment the joints: (N, M, clip_len, V, C)."""
        if not steps:
            return weigh_frames(frames, rows, weights)
        # Once for all chunks.
        frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
        joints = frames.new_empty(*rows.shape[:-1], *frames.shape[1:])
        # A CPU works in its cache, chunk by chunk.
        size = CLIPS_IN_CACHE if frames.is_cpu else len(rows)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            chunk = weigh_frames(frames, rows[part], weights[part])
            for step in steps:
                chunk = step.select(part, frames.device).apply(chunk)
            joints[part] = chunk
        return joints

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(transforms={self.pipelines}, '
                f'num_views={self.num_views})')
