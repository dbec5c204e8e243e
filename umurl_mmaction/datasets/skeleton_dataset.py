import logging
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS
from mmcv.transforms import Compose
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from ..fileio.annotations import (
    check_is_there,
    clips_of_split,
    load_annotations,
)
from ..skeleton.layout import Layout
from .check_clip import check_clip, check_range, finite_keypoint
from .facts import facts_of, layout_of
from .inspection import SetMeasures
from .inspection.steps import measure_steps
from .preparation import plain_steps
from .sample_seed import sample_chance
from .subset import class_balanced_subset, draw_per_class


@DATASETS.register_module()
class SkeletonDataset(PoseDataset):
    """MMAction2's ``PoseDataset`` that says what is wrong with its input.

    Reads the same pickles, or .npz files of the converters: ``split``
    (name -> clip names) and ``annotations``, a list of dicts with
    ``frame_dir``, ``total_frames``, ``keypoint`` (M, T, V, C) and ``label``.
    The arrays stay in memory as they were read: forked workers share them,
    and no clip is unpickled again.

    A file may also have ``skeleton``, the name of a layout or a dict with
    ``joints`` and ``parents``, and ``classes``, the names of the classes.
    Both become part of ``metainfo``, with the numbers of bodies, coordinates
    and classes and the settings of ``prepare``; the transforms of ``prepare``
    and ``pipeline`` get the layout as ``results['layout']``.

    Args:
        prepare (list[dict]): Transforms that each clip goes through once,
            when the data are read, such as the normalisation; the pipeline
            follows at each access. Arrays in float16 stay so, all others
            become float32. Defaults to none.
        label_fraction (float): Keep only this share of the clips of each
            class, at least one of each, for semi-supervised training. The
            clips kept are logged. Defaults to 1.
        clips_per_class (int, optional): Keep only so many clips of each
            class, all of a class that has fewer. The clips kept are logged.
            Defaults to None: all.
        subset_seed (int): Fixes which clips are kept, on every rank alike.
            Defaults to 0.
        nonfinite (str): How to treat NaN and infinity: ``'error'`` names
            the clip, ``'missing'`` sets such joints to 0, as joints that the
            sensor has not seen. Defaults to ``'error'``.
        trusted (bool): Load whatever a pickle holds, which runs whatever it
            asks for. Defaults to False: containers, strings, numbers and
            NumPy arrays only.
        kwargs: The arguments of ``PoseDataset``. A ``data_prefix`` is
            refused: there are no files besides the annotations.

    Attributes:
        labels (list[tuple[str, int | None]]): Name and label of each clip.
        keypoints (list[np.ndarray]): The clips after ``prepare``, (M, T, V,
            C) each; not to change.
        shapes (list[tuple[int, ...]]): (M, T, V, C) of each clip.
        layout (Layout, optional): The file's ``skeleton``; None if it has
            none.
        measures (SetMeasures, optional): What some of the clips are like
            before they are normalised; None with ``test_mode``.

    Raises:
        FileNotFoundError: If the annotation file is not there.
        MissingSplitError: If the file has no split of that name, or no clip
            in it.
        ValueError: If the file is broken or asks for anything else than plain
            data, a clip has other joints than the skeleton or a coordinate
            that is not finite or, after ``prepare``, beyond 65504, or a
            fraction of unlabelled clips is asked for.
    """

    def __init__(self,
                 *args: Any,
                 prepare: Sequence[dict] = (),
                 label_fraction: float = 1.0,
                 clips_per_class: Optional[int] = None,
                 subset_seed: int = 0,
                 nonfinite: str = 'error',
                 trusted: bool = False,
                 **kwargs: Any) -> None:
        if nonfinite not in ('error', 'missing'):
            raise ValueError(f"nonfinite={nonfinite!r} must be 'error' or "
                             "'missing'")
        data_prefix = kwargs.get('data_prefix') or {}
        if any(data_prefix.values()):
            raise ValueError(f'data_prefix={data_prefix!r} must be empty: all '
                             'of a clip is in the annotation file')
        self._steps = plain_steps(prepare)
        self.prepare = Compose(list(prepare))
        self.nonfinite = nonfinite
        self.trusted = trusted
        if clips_per_class is not None and clips_per_class < 1:
            raise ValueError(f'clips_per_class={clips_per_class} must be at '
                             'least 1')
        if clips_per_class is not None and label_fraction != 1:
            raise ValueError('clips_per_class and label_fraction are two ways '
                             'to choose clips: set one of them')
        self.label_fraction = label_fraction
        self.clips_per_class = clips_per_class
        self.subset_seed = subset_seed
        self.layout: Optional[Layout] = None
        self.measures: Optional[SetMeasures] = None
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the split's annotations, or the chosen share of them."""
        check_is_there(self.ann_file)
        data = load_annotations(self.ann_file, self.trusted)
        self.layout = layout_of(data, self.ann_file)
        clips = self._split_of(data)
        self._check(clips)
        self._describe(data)
        if len(clips) < len(data['annotations']):
            # Views would keep the coordinates of the whole file in memory.
            for clip in clips:
                clip['keypoint'] = _own(clip['keypoint'])
        # The clips of the other splits are let go before any is prepared.
        del data
        if self.label_fraction != 1 or self.clips_per_class is not None:
            clips = self._few_of(clips)
        if not self.test_mode:
            self.measures = measure_steps(clips, self.prepare.transforms,
                                          self.pipeline.transforms,
                                          self.layout)
        print_log(f'Preparing {len(clips)} clips of {self.ann_file}',
                  'current')
        self._keypoints = self._prepare(clips)
        for index, clip in enumerate(clips):
            clip['keypoint'] = index
        return clips

    def full_init(self) -> None:
        """Read the clips, unless that is done."""
        if self._fully_initialized:
            return
        super().full_init()
        # Those that `valid_ratio` and `indices` leave.
        clips = [BaseDataset.get_data_info(self, i) for i in range(len(self))]
        self.labels = [(x['frame_dir'], x.get('label')) for x in clips]
        self.keypoints = [self._keypoints[x['keypoint']] for x in clips]
        self.shapes = [x.shape for x in self.keypoints]

    def filter_data(self) -> list[dict]:
        """Leave out clips by ``valid_ratio``, and say so only if it is set."""
        if self.valid_ratio is None:
            return self.data_list
        return super().filter_data()

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline; its random draws depend on the sample alone."""
        with sample_chance(idx):
            return super().prepare_data(int(idx))

    def get_data_info(self, idx: int) -> dict:
        """Return the idx-th annotation, with an array of its own."""
        # Not that of `PoseDataset`, which may look for a file of the clip.
        info = super(PoseDataset, self).get_data_info(idx)
        info['keypoint'] = self._keypoints[info['keypoint']].copy()
        if self.layout is not None:
            info['layout'] = self.layout
        return info

    def _describe(self, data: dict[str, Any]) -> None:
        """Put what is known of the clips into ``metainfo``.

        Checkpoints hold it, so that a model can be built without the file,
        and clips be prepared as these.
        """
        facts = facts_of(data, self.ann_file)
        self._metainfo.update(
            num_person=facts.num_person,
            in_channels=facts.in_channels,
            num_classes=facts.num_classes,
            prepare=self._steps)
        if facts.layout is not None:
            self._metainfo.setdefault('skeleton', facts.layout.to_dict())
        if 'classes' in data:
            self._metainfo.setdefault('classes', list(data['classes']))

    def _check(self, clips: list[dict]) -> None:
        seen = set()
        for clip in clips:
            check_clip(clip, self.ann_file)
            if self.layout is not None:
                self.layout.check(
                    clip['keypoint'].shape,
                    f'clip {clip["frame_dir"]!r} of {self.ann_file!r}')
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
            if self.layout is not None:
                clip['layout'] = self.layout
            clip.update(self.prepare(clip))
            clip.pop('layout', None)
            prepared = clip.pop('keypoint')
            check_range(prepared, name)
            # No transform brings back what half precision has lost.
            dtype = raw.dtype if raw.dtype == np.float16 else np.float32
            # It goes to its old place, so that no set is in memory twice.
            if (raw.flags.writeable and raw.dtype == dtype
                    and raw.shape == prepared.shape and uses[id(raw)] == 1):
                np.copyto(raw, prepared, casting='same_kind')
                prepared = raw
            arrays.append(np.ascontiguousarray(prepared, dtype))
        return arrays

    def _few_of(self, clips: list[dict]) -> list[dict]:
        """Draw ``label_fraction`` or ``clips_per_class`` of each class."""
        setting = f'label_fraction={self.label_fraction}'
        if self.clips_per_class is not None:
            setting = f'clips_per_class={self.clips_per_class}'
        unlabelled = [x['frame_dir'] for x in clips if x.get('label') is None]
        if unlabelled:
            raise ValueError(f'{setting} wants labels, but {unlabelled[0]!r} '
                             f'of {self.ann_file!r} has none')
        labels = [x['label'] for x in clips]
        if self.clips_per_class is not None:
            kept = draw_per_class(labels, self.clips_per_class,
                                  self.subset_seed)
        else:
            kept = class_balanced_subset(labels, self.label_fraction,
                                         self.subset_seed)
        names = ' '.join(clips[i]['frame_dir'] for i in kept)
        print_log(
            f'{len(kept)} of {len(clips)} labelled clips are kept ({setting}, '
            f'subset_seed={self.subset_seed}): {names}', 'current')
        return [clips[i] for i in kept]

    def _split_of(self, data: dict[str, Any]) -> list[dict]:
        """Return the clips of the split, or all clips without a split.

        Warns of names without a clip, and of clips that are trained on.
        """
        clips = clips_of_split(data, self.split, self.ann_file)
        if self.split is None:
            return clips
        names = set(data['split'][self.split])
        self._say_of_split(names - {x['frame_dir'] for x in clips},
                           f'of {len(names)} names have no clip')
        training = re.sub('val|test', 'train', self.split)
        if training != self.split:
            self._say_of_split(
                names.intersection(data['split'].get(training, ())),
                f'of {len(names)} clips are also in {training!r}, and no test '
                'of what was learned there')
        return clips

    def _say_of_split(self, names: set[str], what: str) -> None:
        """Log a warning about some names of the split, if there are any."""
        if names:
            print_log(
                f'Split {self.split!r} of {self.ann_file!r}: {len(names)} '
                f'{what}, such as {min(names)!r}', 'current', logging.WARNING)


def _own(array: np.ndarray) -> np.ndarray:
    """Copy an array that is part of a larger one."""
    base = array.base
    is_part = isinstance(base, np.ndarray) and base.size > array.size
    return array.copy() if is_part else array
