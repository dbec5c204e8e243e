import copy
import os.path as osp
from collections import Counter
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS
from mmcv.transforms import Compose
from mmengine.logging import print_log

from ..fileio.annotations import load_annotations, load_plain
from .check_clip import check_clip, finite_keypoint
from .sample_seed import sample_chance
from .subset import class_balanced_subset


class MissingSplitError(ValueError):
    """An annotation file has no split of that name."""


@DATASETS.register_module()
class SkeletonDataset(PoseDataset):
    """MMAction2's ``PoseDataset`` that says what is wrong with its input.

    Reads the same pickles, or .npz files of the converters: ``split``
    (name -> clip names) and ``annotations``, a list of dicts with
    ``frame_dir``, ``total_frames``, ``keypoint`` (M, T, V, C) and ``label``.
    The arrays stay in memory as they were read: forked workers share them,
    and no clip is unpickled again. The names of the classes, if the file has
    ``classes``, become part of ``metainfo``.

    Args:
        prepare (list[dict]): Transforms that each clip goes through once,
            when the data are read, such as the normalisation; the pipeline
            follows at each access. Arrays in float16 stay so, all others
            become float32. Defaults to none.
        label_fraction (float): Keep only this share of the clips of each
            class, at least one of each, for semi-supervised training. The
            clips kept are logged. Defaults to 1.
        subset_seed (int): Fixes which clips are kept, on every rank alike.
            Defaults to 0.
        nonfinite (str): What to do about NaN and infinity: ``'error'`` names
            the clip, ``'missing'`` sets such joints to 0, as joints that the
            sensor has not seen. Defaults to ``'error'``.
        trusted (bool): Load whatever a pickle holds, which runs whatever it
            asks for. Defaults to False: containers, strings, numbers and
            NumPy arrays only.
        keep_splits (bool): Keep the clips of the file's other splits in
            memory until ``other_split`` or ``drop_splits``, so that the file
            is read but once. Copies and workers do not get them. Defaults to
            False.
        kwargs: The arguments of ``PoseDataset``.

    Attributes:
        labels (list[tuple[str, int | None]]): Name and label of each clip.
        shapes (list[tuple[int, ...]]): (M, T, V, C) of each clip.

    Raises:
        FileNotFoundError: If the annotation file is not there.
        ValueError: If it is broken or asks for anything else than plain data,
            has no split of that name, the split no clip, a
            clip a coordinate that is not finite, or a fraction of unlabelled
            clips is asked for.
    """

    def __init__(self,
                 *args: Any,
                 prepare: Sequence[dict] = (),
                 label_fraction: float = 1.0,
                 subset_seed: int = 0,
                 nonfinite: str = 'error',
                 trusted: bool = False,
                 keep_splits: bool = False,
                 **kwargs: Any) -> None:
        if nonfinite not in ('error', 'missing'):
            raise ValueError(f"nonfinite={nonfinite!r} must be 'error' or "
                             "'missing'")
        self.prepare = Compose(list(prepare))
        self.nonfinite = nonfinite
        self.trusted = trusted
        self.label_fraction = label_fraction
        self.subset_seed = subset_seed
        self.keep_splits = keep_splits
        self._file: Optional[Any] = None
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """The split's annotations, or the chosen share of them."""
        if not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'annotation file {self.ann_file!r} is not there; '
                'tools/data/README.md tells how each one is made')
        clips = self._read()
        self._check(clips)
        if self.label_fraction < 1:
            clips = self._share_of(clips)
        print_log(f'Preparing {len(clips)} clips of {self.ann_file}',
                  'current')
        self._keypoints = self._prepare(clips)
        for index, clip in enumerate(clips):
            clip['keypoint'] = index
        self.labels = [(x['frame_dir'], x.get('label')) for x in clips]
        self.shapes = [x.shape for x in self._keypoints]
        return clips

    def prepare_data(self, idx: int) -> Any:
        """The pipeline's result; its chance is the sample's own."""
        with sample_chance(idx):
            return super().prepare_data(int(idx))

    def get_data_info(self, idx: int) -> dict:
        """The idx-th annotation, with an array of its own.

        With ``data_prefix=dict(skeleton=FOLDER)`` it is completed by a pickle
        of its own, which ``PoseDataset`` would load without restrictions.
        """
        info = super(PoseDataset, self).get_data_info(idx)
        info['keypoint'] = self._keypoints[info['keypoint']].copy()
        if 'skeleton' in self.data_prefix:
            path = osp.join(self.data_prefix['skeleton'],
                            info['frame_dir'] + '.pkl')
            info.update(load_plain(path, self.trusted))
        return info

    def other_split(self, split: str) -> 'SkeletonDataset':
        """Another split of the same file, whole, in test mode.

        Args:
            split (str): Its name.

        Returns:
            SkeletonDataset: As this one but for that. What ``keep_splits``
            has kept is used up; without it the file is read again.

        Raises:
            ValueError: If it has no such split, or the split no clip.
        """
        other = copy.copy(self)
        other.split, other.test_mode = split, True
        other.label_fraction, other.keep_splits = 1.0, False
        if self._file is not None:
            names = set(self._file['split'].get(split, ()))
            # The arrays of clips in both splits are prepared already.
            if names.isdisjoint(name for name, _ in self.labels):
                other._file = self._file
        self.drop_splits()
        other._fully_initialized = False
        other.full_init()
        return other

    def drop_splits(self) -> None:
        """Let go what ``keep_splits`` has kept."""
        self._file = None

    def __getstate__(self) -> dict:
        """For copies and workers."""
        return dict(self.__dict__, _file=None)

    def _read(self) -> list[dict]:
        """The split's annotations; all else is let go, or kept on demand."""
        data = self._file
        if data is None:
            data = load_annotations(self.ann_file, self.trusted)
        keep = self.keep_splits and self.split is not None
        self._file = data if keep else None
        if 'classes' in data:
            self._metainfo.setdefault('classes', data['classes'])
        return self._split_of(data)

    def _check(self, clips: list[dict]) -> None:
        seen = set()
        for clip in clips:
            check_clip(clip, self.ann_file)
            if clip['frame_dir'] in seen:
                raise ValueError(f'clip {clip["frame_dir"]!r} is twice in '
                                 f'{self.ann_file!r}; names must differ')
            seen.add(clip['frame_dir'])

    def _prepare(self, clips: list[dict]) -> list[np.ndarray]:
        """Take the arrays out of the annotations and prepare them."""
        uses = Counter(id(clip['keypoint']) for clip in clips)
        arrays = []
        for clip in clips:
            raw = clip['keypoint']
            name = f'clip {clip["frame_dir"]!r} of {self.ann_file!r}'
            clip['keypoint'] = finite_keypoint(raw, name, self.nonfinite)
            clip.update(self.prepare(clip))
            prepared = clip.pop('keypoint')
            # No transform brings back what half precision has lost.
            dtype = raw.dtype if raw.dtype == np.float16 else np.float32
            # In its old place, so that a set is not in memory twice.
            if (raw.flags.writeable and raw.dtype == dtype
                    and raw.shape == prepared.shape and uses[id(raw)] == 1):
                np.copyto(raw, prepared, casting='same_kind')
                prepared = raw
            arrays.append(np.ascontiguousarray(prepared, dtype))
        return arrays

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
            raise MissingSplitError(f'annotation file {self.ann_file!r} has no split '
                             f'{self.split!r}, only {sorted(data["split"])}')
        names = set(data['split'][self.split])
        clips = [x for x in data['annotations'] if x['frame_dir'] in names]
        if not clips:
            raise ValueError(f'split {self.split!r} of {self.ann_file!r} has '
                             'no clip')
        return clips
