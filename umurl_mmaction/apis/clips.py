"""The preparation of a recorded clip for a model."""
import copy
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np
import torch
from mmengine.dataset import Compose
from torch import Tensor

from ..datasets.check_clip import check_range, finite_keypoint
from ..datasets.transforms import SkeletonPreNormalize2D
from ..registry import mmaction_scope
from ..skeleton.layout import Layout

# An array (M, T, V, C), or an annotation with one.
Clip = Union[np.ndarray, Tensor, Mapping[str, Any]]
Clips = Union[Clip, Sequence[Clip]]


class ClipPipeline:
    """The transforms of a ``SkeletonDataset``, in one call.

    Args:
        dataset (dict): Config of the dataset, with its ``pipeline`` and,
            if it has one, ``prepare``, the transforms that each clip goes
            through once.
        layout (Layout, optional): Layout of the clips, for transforms
            without one of their own. Defaults to None.

    Attributes:
        transforms (list): The transforms of ``prepare`` and ``pipeline``.
    """

    def __init__(self,
                 dataset: Mapping[str, Any],
                 layout: Optional[Layout] = None) -> None:
        with mmaction_scope():
            self._prepare = Compose(list(dataset.get('prepare') or ()))
            self._pipeline = Compose(list(dataset['pipeline']))
        self._layout = layout
        self.transforms = [
            *self._prepare.transforms, *self._pipeline.transforms
        ]

    @property
    def takes_score(self) -> bool:
        """Whether clips of x and y may have a score as third coordinate."""
        return any(
            isinstance(step, SkeletonPreNormalize2D)
            for step in self.transforms)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Make inputs and data sample of a :func:`make_results`.

        Raises:
            ValueError: If a coordinate is beyond what an encoder can use.
        """
        if self._layout is not None:
            results['layout'] = self._layout
        dtype = results['keypoint'].dtype
        name = results['frame_dir']
        results = self._prepare(results)
        check_range(results['keypoint'], name)
        # The dataset keeps clips of half precision in half precision.
        if dtype == np.float16:
            results['keypoint'] = results['keypoint'].astype(dtype)
        return self._pipeline(results)


def make_results(clip: Clip,
                 name: str,
                 nonfinite: str = 'error') -> dict[str, Any]:
    """Turn a clip into the dict that MMAction2's pipelines start from.

    Args:
        clip (np.ndarray | Tensor | dict): (M, T, V, C), or (T, V, C) of one
            body, or an annotation with such a ``keypoint``. It is copied.
        name (str): Name of a clip that has no ``frame_dir``.
        nonfinite (str): As in ``SkeletonDataset``. Defaults to ``'error'``.

    Returns:
        dict: An annotation with ``keypoint`` (M, T, V, C), float16 if the
        clip is, else float32.

    Raises:
        ValueError: If it is no clip, or a coordinate is not finite.
    """
    results: dict[str, Any] = dict(
        frame_dir=name, start_index=0, modality='Pose')
    if isinstance(clip, Mapping):
        if 'keypoint' not in clip:
            raise ValueError(f'{name} is a dict without keypoint; its keys '
                             f'are {sorted(map(str, clip))}')
        # Transforms work in place.
        results.update(copy.deepcopy(dict(clip)))
        clip = clip['keypoint']
    keypoint = clip.cpu().numpy() if isinstance(clip, Tensor) else clip
    if not isinstance(keypoint, np.ndarray):
        raise ValueError(f'{name} is a {type(clip).__name__}; wanted is an '
                         'array (M, T, V, C), or a dict with one as keypoint')
    if keypoint.ndim == 3:
        keypoint = keypoint[None]
    if keypoint.dtype.kind not in 'fiu' or keypoint.ndim != 4 or (
            not keypoint.size):
        raise ValueError(f'{name} is {keypoint.dtype} {keypoint.shape}; '
                         'wanted are numbers (M, T, V, C): bodies, frames, '
                         'joints, coordinates')
    dtype = np.float16 if keypoint.dtype == np.float16 else np.float32
    keypoint = finite_keypoint(
        keypoint.astype(dtype), results['frame_dir'], nonfinite)
    results.update(keypoint=keypoint, total_frames=keypoint.shape[1])
    return results


def split_clips(clips: Clips) -> Sequence[Clip]:
    """Make a list of clips from one clip, several, or (N, M, T, V, C).

    Raises:
        ValueError: If there is none.
    """
    if isinstance(clips, Mapping) or (isinstance(clips, (np.ndarray, Tensor))
                                      and clips.ndim != 5):
        return [clips]
    if not len(clips):
        raise ValueError('there is no clip: the list is empty')
    return list(clips)


def split_streams(streams: Mapping[str, Any]) -> list[dict[str, Tensor]]:
    """Separate the streams of each clip.

    Args:
        streams (dict[str, np.ndarray]): Streams by modality, of one clip (M,
            clip_len, V, C) or of N clips (N, M, clip_len, V, C).

    Returns:
        list[dict[str, Tensor]]: The streams (M, clip_len, V, C) of each of
        the N clips, by modality.

    Raises:
        ValueError: If a stream has another shape, or N differs among them.
    """
    whole = {}
    for name, stream in streams.items():
        tensor = torch.as_tensor(stream)
        if tensor.ndim not in (4, 5) or not tensor.numel():
            raise ValueError(
                f'the {name!r} stream has shape {tuple(tensor.shape)}; '
                'wanted is (M, clip_len, V, C) or (N, M, clip_len, V, C)')
        whole[name] = tensor if tensor.ndim == 5 else tensor[None]
    sizes = {name: len(stream) for name, stream in whole.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError('streams of the same clips are wanted, by modality; '
                         f'got these numbers of clips: {sizes}')
    return [{name: stream[i]
             for name, stream in whole.items()}
            for i in range(min(sizes.values()))]
