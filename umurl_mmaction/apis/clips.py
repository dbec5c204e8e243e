"""From a clip as it comes to what a model takes."""
import copy
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np
import torch
from mmengine.dataset import Compose
from torch import Tensor

from ..datasets.check_clip import finite_keypoint

# An array (M, T, V, C), or an annotation with one.
Clip = Union[np.ndarray, Tensor, Mapping[str, Any]]
Clips = Union[Clip, Sequence[Clip]]


class ClipPipeline:
    """All that a ``SkeletonDataset`` does to a clip, in one call.

    Args:
        dataset (dict): Config of the dataset: what it does to each clip once
            (``prepare``, if it is there), and its ``pipeline``.

    Attributes:
        transforms (list): The transforms of both.
    """

    def __init__(self, dataset: Mapping[str, Any]) -> None:
        self._prepare = Compose(list(dataset.get('prepare') or ()))
        self._pipeline = Compose(list(dataset['pipeline']))
        self.transforms = [
            *self._prepare.transforms, *self._pipeline.transforms
        ]

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Prepare an annotation: ``inputs`` and ``data_samples``."""
        dtype = results['keypoint'].dtype
        results = self._prepare(results)
        # The dataset keeps clips of half precision in half precision.
        if dtype == np.float16:
            results['keypoint'] = results['keypoint'].astype(dtype)
        return self._pipeline(results)


def make_results(clip: Clip,
                 name: str,
                 nonfinite: str = 'error') -> dict[str, Any]:
    """Make of a clip what MMAction2's pipelines start from.

    Args:
        clip (np.ndarray | Tensor | dict): (M, T, V, C), or (T, V, C) of one
            body, or an annotation with such a ``keypoint``. Left as it is.
        name (str): What to call a clip that has no ``frame_dir``.
        nonfinite (str): As in ``SkeletonDataset``. Defaults to ``'error'``.

    Returns:
        dict: An annotation of its own; ``keypoint`` (M, T, V, C) in float16
        or float32.

    Raises:
        ValueError: If it is no clip, or has a coordinate that is not finite.
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
    """A list of clips, of one or of an array (N, M, T, V, C), too.

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
    """The streams of each clip.

    Args:
        streams (dict[str, np.ndarray]): Of one clip, (M, clip_len, V, C), or
            of N, (N, M, clip_len, V, C), by modality.

    Returns:
        list[dict[str, Tensor]]: (M, clip_len, V, C) by modality, of N clips.

    Raises:
        ValueError: If they have another shape or not all the same N.
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
