"""From an annotation file to the settings of an experiment on it."""
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
from mmaction.registry import TRANSFORMS

from ..datasets.facts import DataFacts, facts_of, load_clips, wrong_sizes
from ..datasets.inspection import (
    Finding,
    SetMeasures,
    class_counts,
    clips_of_splits,
    find_all,
    find_in_pair,
    line_of,
    split_pairs,
    torso_of,
    units_of,
    up_axis,
)
from ..datasets.inspection.steps import measure_steps
from ..fileio.annotations import check_is_there
from ..registry import mmaction_scope
from ..skeleton.layout import LAYOUTS, Layout, build_layout

# From so many clips on, the paper's sizes.
LARGE = 10_000


class Sizes:
    """Width, batch and length of a pre-training on a number of clips.

    Args:
        num_clips (int): Clips to train on.

    Attributes:
        width (int): Channels of the encoder.
        batch (int): Clips in a batch.
        steps (int): Optimizer steps.
        milestone (int): The step after which the learning rate falls, as
            late as in the paper's code (351 of 451 epochs).
        lr (float, optional): Learning rate; None is that of the base.
    """

    def __init__(self, num_clips: int) -> None:
        self.num_clips = num_clips
        self.is_large = num_clips >= LARGE
        self.width = 1024 if self.is_large else 128
        self.batch = min(512 if self.is_large else 64, num_clips)
        passes = 451 if self.is_large else 30
        self.steps = max(3000, passes * math.ceil(num_clips / self.batch))
        self.milestone = round(0.78 * self.steps)
        self.lr = 5e-4 if self.is_large else None


@dataclass(frozen=True)
class Experiment:
    """What the configs of an annotation file say.

    Args:
        ann_file (str): The file, as the configs name it.
        facts (DataFacts): Bodies, coordinates, classes.
        layout (Layout): The skeleton.
        named (bool): Whether the configs name the layout, since the file
            says none or another.
        bodies (Mapping[int, int]): Number of clips by number of bodies.
        train (str, optional): Split to train on; None is all clips.
        test (str, optional): Split to test on.
        why_splits (str): Why these; empty if there is no other choice.
        num_train (int): Clips to train on.
        without_test (str): Why nothing can be tested; empty if it can.
        prepare (Mapping): Config of the normalisation.
        up (str, optional): Axis along which most bodies stand, if there is
            one; the normalisation does not change it.
        nonfinite (bool): Whether a coordinate is NaN or infinite.
        findings (Sequence[Finding]): What is likely to spoil a training.
        summary (Sequence[str]): What the file is like, in lines.
    """
    ann_file: str
    facts: DataFacts
    layout: Layout
    named: bool
    bodies: Mapping[int, int]
    train: Optional[str]
    test: Optional[str]
    why_splits: str
    num_train: int
    without_test: str
    prepare: Mapping[str, Any]
    up: Optional[str]
    nonfinite: bool
    findings: Sequence[Finding]
    summary: Sequence[str]

    @property
    def name(self) -> str:
        """Name of the file in the names of the configs."""
        return re.sub(r'\W+', '_', Path(self.ann_file).stem)

    @property
    def sizes(self) -> Sizes:
        """Width, batch and length of the pre-training."""
        return Sizes(self.num_train)

    @property
    def coords(self) -> int:
        """Coordinates that the encoder sees: a score is none."""
        if self.prepare['type'] == 'SkeletonPreNormalize2D':
            return 2
        return self.facts.in_channels

    @property
    def why_normalized(self) -> str:
        """What the normalisation does, and why so."""
        if self.prepare['type'] == 'SkeletonPreNormalize2D':
            return ('2D keypoints are centred and scaled by the bodies of the '
                    "clip; scale_by='image' would keep where they are in the "
                    'image.')
        joints = self.layout.joints
        said = f'The joint {joints[self.layout.center]!r} moves to 0'
        if self.layout.shoulders is not None and self.coords == 3:
            start, end = (joints[v] for v in self.layout.shoulders)
            said += f', and the line from {start!r} to {end!r} turns onto +x'
        if 'scale' in self.prepare:
            said += ('. The unit is not the metre, so the median torso of the '
                     'training clips becomes 1')
        return f'{said}.'

    @property
    def checkpoint(self) -> str:
        """The last checkpoint of the pre-training."""
        return (f'work_dirs/{self.name}_pretrain/'
                f'iter_{self.sizes.steps}.pth')


def _choose_layout(data: Mapping, facts: DataFacts, ann_file: str,
                   name: Optional[str]) -> Layout:
    """Return the layout that is named, the file's, or the only one."""
    num_joints = data['annotations'][0]['keypoint'].shape[2]
    fitting = [x.name for x in LAYOUTS.values() if x.num_joints == num_joints]
    if name is not None:
        layout = build_layout(name)
        if layout.num_joints != num_joints:
            raise ValueError(
                f'--layout {name} has {layout.num_joints} joints, but '
                f'{ann_file} {num_joints}: '
                f'{" or ".join(fitting) or "no known layout"} has as many')
        return layout
    if facts.layout is not None:
        return facts.layout
    if len(fitting) == 1:
        return LAYOUTS[fitting[0]]
    if fitting:
        raise ValueError(
            f'{ann_file} has {num_joints} joints and does not say which: '
            f'wanted is --layout {" or ".join(fitting)}')
    raise ValueError(
        f'{ann_file} has {num_joints} joints, as no known layout has; put '
        'the skeleton into the file: tools/data/convert_annotations.py '
        f'{ann_file} NEW --skeleton FILE.json')


def _find_guess(chosen: Layout, facts: DataFacts,
                name: Optional[str]) -> list[Finding]:
    """Say what the joints are taken for, if nobody has said it."""
    if name is not None or facts.layout is not None:
        return []
    joints = ', '.join(chosen.joints[:4])
    return [
        Finding(f'layout: the file does not say what its {chosen.num_joints} '
                f'joints are; they are taken for {chosen.name!r} ({joints}, '
                '...). If they are others, tools/data/convert_annotations.py '
                'puts their skeleton into the file, --skeleton FILE.json')
    ]


def _split_line(name: str, num_clips: int, num_names: int) -> str:
    line = f'split {name}: {num_clips} clips'
    if num_clips < num_names:
        line += f'; {num_names - num_clips} of its names have no clip'
    return line


class _Splits(NamedTuple):
    """The splits of an experiment, and what is known of them."""
    train: Optional[str]
    test: Optional[str] = None
    why: str = ''
    findings: Sequence[Finding] = ()


def _choose_splits(splits: Mapping[str, Sequence[dict]], train: Optional[str],
                   test: Optional[str], center: int) -> _Splits:
    """Complete the names of the training and the test split.

    Of the pairs that go together it is the first one in which the test says
    what it seems to say: without copies of training clips.
    """
    for name in filter(None, (train, test)):
        if not splits.get(name):
            known = ', '.join(x for x in splits if splits[x]) or 'none'
            raise ValueError(f'there is no split {name!r}; known are: {known}')
    filled = [name for name in splits if splits[name]]
    pairs = [
        pair for pair in split_pairs(filled)
        if train in (None, pair[0]) and test in (None, pair[1])
    ]
    # 'train_b' goes with 'val_b' rather than 'train' does.
    pairs.sort(key=lambda pair: pair[1] not in (
        pair[0].replace('train', 'val'), pair[0].replace('train', 'test')))
    if train and test:
        pairs = [(train, test)]
    if not pairs:
        names = [x for x in filled if 'train' in x and x != test] or filled
        return _Splits(train or (names[0] if names else None), test)
    spoilt: list[_Splits] = []
    for pair in pairs:
        findings = find_in_pair(splits, *pair, center)
        if not findings:
            why = (f'{spoilt[0].train!r} and {spoilt[0].test!r} come first in '
                   f'the file, but {spoilt[0].findings[0].text}'
                   ) if spoilt else ''
            return _Splits(*pair, why)
        spoilt.append(_Splits(*pair, findings=findings))
    return spoilt[0]


def _measure(clips: Sequence[dict], layout: Layout,
             *prepare: Mapping[str, Any]) -> SetMeasures:
    with mmaction_scope():
        steps = [TRANSFORMS.build(dict(step)) for step in prepare]
    measures = measure_steps(clips, steps, (), layout)
    assert measures is not None  # the sizes of the clips are known to agree
    return measures


def _choose_normalization(clips: Sequence[dict], layout: Layout,
                          named: bool) -> dict[str, Any]:
    """Return the config that suits the unit of the clips."""
    measures = _measure(clips, layout)
    units = units_of(measures)
    if units in ('pixels', 'shares'):
        return dict(type='SkeletonPreNormalize2D', scale_by='body')
    settings: dict[str, Any] = dict(type='SkeletonPreNormalize')
    if named:
        settings['layout'] = layout.name
    torso = torso_of(measures)
    if units != 'metres' and torso is not None:
        settings['scale'] = float(f'{torso:.4g}')
    return settings


def _why_no_test(test: Optional[str], clips: Sequence[dict]) -> str:
    if test is None:
        return 'there is no split to test on'
    if any(clip.get('label') is None for clip in clips):
        return 'not all clips have labels'
    return ''


def bodies_line(bodies: Mapping[int, int]) -> str:
    """Say how many bodies clips have."""
    return ', '.join(f'{m} in {n} clips' for m, n in sorted(bodies.items()))


def _sizes_line(clips: Sequence[Mapping[str, Any]]) -> str:
    """Say how large clips are: axes in another order show here."""
    shapes = [clip['keypoint'].shape for clip in clips]
    frames = sorted(shape[1] for shape in shapes)
    joints, coords = shapes[0][2:]
    counts = Counter(shape[0] for shape in shapes)
    return (f'{joints} joints in {coords} coordinates; {frames[0]} to '
            f'{frames[-1]} frames, {frames[len(frames) // 2]} in the middle; '
            f'bodies: {bodies_line(counts)}')


def plan_experiment(ann_file: str,
                    layout: Optional[str] = None,
                    train: Optional[str] = None,
                    test: Optional[str] = None) -> Experiment:
    """Look at an annotation file and choose the settings of an experiment.

    Args:
        ann_file (str): A pickle or an .npz.
        layout (str, optional): Name of a known layout. Defaults to that of
            the file, else to the only one with so many joints.
        train (str, optional): Split to train on. Defaults to the first that
            has a split to test on without copies of its clips, else to the
            first.
        test (str, optional): Split to test on. Defaults to the one that
            goes with ``train``.

    Returns:
        Experiment: The settings.

    Raises:
        OSError: If there is no such file.
        ValueError: If the file is broken, the layout is not known, or there
            is no such split. Names what is wanted.
    """
    check_is_there(ann_file)
    data = load_clips(ann_file)
    clips = data['annotations']
    sizes = {clip['keypoint'].shape[2:] for clip in clips}
    if len(sizes) > 1 or min(sizes)[1] not in (2, 3):
        raise wrong_sizes(clips, ann_file)
    facts = facts_of(data, ann_file)
    chosen = _choose_layout(data, facts, ann_file, layout)
    splits = clips_of_splits(data)
    used_splits = _choose_splits(splits, train, test, chosen.center)
    train, test = used_splits[:2]
    training = clips if train is None else splits[train]
    if len(training) < 2:
        where = 'it' if train is None else f'split {train!r}'
        raise ValueError(f'{ann_file}: {where} has one clip; wanted are two '
                         'or more to train on')
    used = [*training, *(splits[test] if test else ())]
    named = facts.layout != chosen
    prepare = _choose_normalization(training, chosen, named)
    measures = _measure(training, chosen, prepare)
    return Experiment(
        ann_file=ann_file,
        facts=facts,
        layout=chosen,
        named=named,
        bodies=Counter(len(clip['keypoint']) for clip in used),
        train=train,
        test=test,
        why_splits=used_splits.why,
        num_train=len(training),
        without_test=_why_no_test(test, used),
        prepare=prepare,
        up=up_axis(measures),
        nonfinite=not all(
            np.isfinite(clip['keypoint']).all() for clip in clips),
        findings=[
            *_find_guess(chosen, facts, layout), *find_all(measures),
            *used_splits.findings
        ],
        summary=[
            f'{ann_file}: {len(clips)} clips, {class_counts(clips)}',
            _sizes_line(clips),
            *(_split_line(name, len(some), len(data['split'][name]))
              for name, some in splits.items()),
            line_of(measures)
        ])
