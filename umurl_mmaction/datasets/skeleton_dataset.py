import os.path as osp
from typing import Any

import mmengine
import numpy as np
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

from .subset import class_balanced_subset


@DATASETS.register_module()
class SkeletonDataset(PoseDataset):
    """MMAction2's ``PoseDataset`` that says what is wrong with its input.

    Reads the same pickles: ``split`` (name -> clip names) and
    ``annotations``, a list of dicts with ``frame_dir``, ``total_frames``,
    ``keypoint`` (M, T, V, C) and ``label``. The names of the classes, if the
    file has ``classes``, become part of ``metainfo``.

    Args:
        label_fraction (float): Keep only this share of the clips of each
            class, at least one of each, for semi-supervised training. The
            clips kept are logged. Defaults to 1.
        subset_seed (int): Fixes which clips are kept, on every rank alike.
            Defaults to 0.
        nonfinite (str): What to do about NaN and infinity: ``'error'`` names
            the clip, ``'missing'`` sets such joints to 0, as joints that the
            sensor has not seen. Defaults to ``'error'``.
        kwargs: The arguments of ``PoseDataset``.

    Attributes:
        labels (list[tuple[str, int | None]]): Name and label of each clip.

    Raises:
        FileNotFoundError: If the annotation file is not there.
        ValueError: If it has no split of that name, the split no clip, a
            clip a coordinate that is not finite, or a fraction of unlabelled
            clips is asked for.
    """

    def __init__(self,
                 *args: Any,
                 label_fraction: float = 1.0,
                 subset_seed: int = 0,
                 nonfinite: str = 'error',
                 **kwargs: Any) -> None:
        if nonfinite not in ('error', 'missing'):
            raise ValueError(f"nonfinite={nonfinite!r} must be 'error' or "
                             "'missing'")
        self.nonfinite = nonfinite
        self.label_fraction = label_fraction
        self.subset_seed = subset_seed
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """The split's annotations, or the chosen share of them."""
        if not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'annotation file {self.ann_file!r} is not there; '
                'tools/data/README.md tells how each one is made')
        data = mmengine.load(self.ann_file)
        if isinstance(data, dict) and 'classes' in data:
            self._metainfo.setdefault('classes', data['classes'])
        clips = self._split_of(data)
        clips = [self._finite(clip) for clip in clips]
        if self.label_fraction < 1:
            clips = self._share_of(clips)
        self.labels = [(x['frame_dir'], x.get('label')) for x in clips]
        return clips

    def _finite(self, clip: dict) -> dict:
        # The sum is not finite if a summand is not, and takes one pass.
        keypoint = clip['keypoint']
        if np.isfinite(keypoint.sum(dtype=np.float64)):
            return clip
        bad = ~np.isfinite(keypoint).all(axis=-1)
        if self.nonfinite == 'error':
            body, frame, joint = np.argwhere(bad)[0]
            raise ValueError(
                f'clip {clip["frame_dir"]!r} of {self.ann_file!r} is not '
                f'finite at body {body}, frame {frame}, joint {joint}; with '
                "nonfinite='missing' such joints are set to 0")
        return dict(clip, keypoint=np.where(bad[..., None], 0, keypoint))

    def _share_of(self, clips: list[dict]) -> list[dict]:
        unlabelled = [x['frame_dir'] for x in clips if 'label' not in x]
        if unlabelled:
            raise ValueError(f'label_fraction={self.label_fraction} wants '
                             f'labels, but {unlabelled[0]!r} of '
                             f'{self.ann_file!r} has none')
        kept = class_balanced_subset([x['label'] for x in clips],
                                     self.label_fraction, self.subset_seed)
        names = ' '.join(clips[i]['frame_dir'] for i in kept)
        print_log(
            f'{len(kept)} of {len(clips)} labelled clips are kept '
            f'(label_fraction={self.label_fraction}, '
            f'subset_seed={self.subset_seed}): {names}', 'current')
        return [clips[i] for i in kept]

    def _split_of(self, data: Any) -> list[dict]:
        if self.split is None:
            return data['annotations'] if isinstance(data, dict) else data
        if self.split not in data['split']:
            raise ValueError(f'annotation file {self.ann_file!r} has no split '
                             f'{self.split!r}, only {sorted(data["split"])}')
        names = set(data['split'][self.split])
        clips = [x for x in data['annotations'] if x['frame_dir'] in names]
        if not clips:
            raise ValueError(f'split {self.split!r} of {self.ann_file!r} has '
                             'no clip')
        return clips
