"""From an annotation file to the configs of an experiment on it."""
import math
import re
import shlex
import textwrap
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
from ..fileio.atomic import replacing_folder, write_text
from ..registry import mmaction_scope
from ..skeleton.layout import LAYOUTS, Layout, build_layout

BASE = 'umurl_mmaction::umurl'
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


def _comment(*sentences: str) -> str:
    return textwrap.fill(
        ' '.join(sentences), 79, initial_indent='# ', subsequent_indent='# ',
        break_long_words=False, break_on_hyphens=False)


def _sizes_line(clips: Sequence[Mapping[str, Any]]) -> str:
    """Say how large clips are: axes in another order show here."""
    shapes = [clip['keypoint'].shape for clip in clips]
    frames = sorted(shape[1] for shape in shapes)
    joints, coords = shapes[0][2:]
    counts = Counter(shape[0] for shape in shapes)
    return (f'{joints} joints in {coords} coordinates; {frames[0]} to '
            f'{frames[-1]} frames, {frames[len(frames) // 2]} in the middle; '
            f'bodies: {_counts(counts)}')


def _counts(bodies: Mapping[int, int]) -> str:
    return ', '.join(f'{m} in {n} clips' for m, n in sorted(bodies.items()))


def _data_lines(plan: Experiment) -> list[str]:
    """The lines that describe the data, alike in all configs."""
    name = plan.layout.name
    skeleton, origin = 'ann_file=ann_file', "The file's own skeleton"
    if plan.named:
        skeleton, origin = (f'graph_cfg=dict(layout={name!r})',
                            f'The layout {name!r}')
    step = ', '.join(f'{key}={x!r}' for key, x in plan.prepare.items())
    lines = [
        f'ann_file = {plan.ann_file!r}',
        _comment(
            f'{origin}, {plan.layout.num_joints} joints;',
            'x and y;' if plan.coords == 2 else 'x, y and z;',
            f'bodies: {_counts(plan.bodies)}.'),
        'skeleton = dict(',
        f'    {skeleton}, in_channels={plan.coords}, '
        f'num_person={max(plan.bodies)})',
        _comment(plan.why_normalized),
        f'prepare = [dict({step})]',
    ]
    settings = ['ann_file=ann_file', 'prepare=prepare']
    if plan.nonfinite:
        lines.append(_comment('Coordinates that are NaN or infinite are '
                              'joints that nobody saw.'))
        settings.append("nonfinite='missing'")
    return [*lines, f'data = dict({", ".join(settings)})']


def _pretrain(plan: Experiment) -> str:
    sizes = plan.sizes
    width = ('the width of the paper, whose sets are as large.'
             if sizes.is_large else
             'the width that was measured on sets of 349 to 6,223 clips.')
    if sizes.batch < sizes.num_clips:
        batch = f'Batches of {sizes.batch}, as there.'
    else:
        batch = 'All clips are one batch, for there are few.'
    length = (
        "451 passes, as in the paper's code." if sizes.is_large else
        '30 passes over the clips, but at least 3,000 steps: fewer teach '
        'little.')
    encoder = f'backbone=dict(skeleton, embed_dims={sizes.width})'
    views, model = [], [f'model = dict({encoder})']
    if plan.coords == 3 and plan.up in ('z', '-z'):
        views = [
            _comment('Bodies stand along z: views turn them about it.'),
            '*others, turn = _base_.plus_views.transforms[0]',
            "plus_views = dict(transforms=[[*others, dict(turn, up='z')]])",
        ]
        model = ['model = dict(', f'    {encoder},',
                 '    data_preprocessor=dict(views=plus_views))']
    lines = [
        _comment(f'Pre-training on {plan.num_train} clips. It looks at no '
                 'label.'),
        f"_base_ = '{BASE}/pretrain/umurl-plus_1xb64-3k_synthetic.py'", '',
        *_data_lines(plan), *views, '',
        _comment(f'{sizes.width} channels: {width}'), *model,
        _comment(batch),
        f'train_dataloader = dict(batch_size={sizes.batch}, '
        f'dataset=dict(data, split={plan.train!r}))',
    ]
    if plan.test is not None and not plan.without_test:
        lines += [
            _comment('While it trains, these clips look for their nearest '
                     'clip of the training set.'),
            f'val_dataloader = dict(dataset=dict(split={plan.test!r}))'
        ]
    lines += [
        _comment(length, 'The learning rate falls as late as in the '
                 "paper's code, after 78 % of them."),
        f'train_cfg = dict(max_iters={sizes.steps})',
        'param_scheduler = [',
        '    dict(',
        "        type='MultiStepLR', by_epoch=False, "
        f'milestones=[{sizes.milestone}], gamma=0.1)',
        ']',
    ]
    if sizes.lr is not None:
        lines += [
            _comment('The learning rate of the paper, for batches of 512.'),
            f'optim_wrapper = dict(optimizer=dict(lr={sizes.lr}))'
        ]
    return '\n'.join(lines) + '\n'


def _probe(plan: Experiment) -> str:
    classes, width = plan.facts.num_classes, plan.sizes.width
    return '\n'.join([
        _comment(f'A linear classifier of {classes} classes on the frozen '
                 f'encoder, trained on {plan.train!r}, tested on '
                 f'{plan.test!r}.', f'{plan.why_splits}.' if plan.why_splits
                 else ''),
        f"_base_ = '{BASE}/linear/umurl-linear_synthetic.py'", '',
        *_data_lines(plan), '',
        _comment('The encoder has the settings of the pre-training; its '
                 'feature has two parts of that width, one of time and one '
                 'of joints.'),
        'model = dict(',
        f'    backbone=dict(skeleton, embed_dims={width}),',
        f'    cls_head=dict(num_classes={classes}, in_channels={2 * width}))',
        f'train_dataloader = dict(dataset=dict(data, split={plan.train!r}))',
        f'val_dataloader = dict(dataset=dict(data, split={plan.test!r}))',
        'test_dataloader = val_dataloader',
        _comment("MMAction2's inference_skeleton needs this name."),
        'test_pipeline = prepare + _base_.pipeline',
        f'load_from = {plan.checkpoint!r}', ''
    ])


def _retrieve(plan: Experiment) -> str:
    gallery = f'{plan.train!r}' if plan.train else 'the file'
    what = (
        f'the nearest clips in {gallery} of any clip, without labels.'
        if plan.without_test else
        f'each clip of {plan.test!r} gets the label of its nearest clip in '
        f'{gallery}.')
    return '\n'.join([
        _comment(f'Retrieval: {what}'),
        f"_base_ = '{BASE}/knn/umurl-knn_synthetic.py'", '',
        *_data_lines(plan), '',
        _comment('The encoder has the settings of the pre-training.'),
        'model = dict(',
        f'    backbone=dict(skeleton, embed_dims={plan.sizes.width}),',
        f'    gallery=dict(dataset=dict(data, split={plan.train!r})))',
        'test_dataloader = dict(dataset=dict(data, '
        f'split={plan.test or plan.train!r}))', ''
    ])


def config_texts(plan: Experiment) -> dict[str, str]:
    """Write the configs of an experiment.

    Args:
        plan (Experiment): Its settings.

    Returns:
        dict[str, str]: Text by name of the file: ``NAME_pretrain.py``,
        where clips with labels can be tested ``NAME_probe.py``, and
        ``NAME_retrieve.py``.
    """
    texts = {f'{plan.name}_pretrain.py': _pretrain(plan)}
    if not plan.without_test:
        texts[f'{plan.name}_probe.py'] = _probe(plan)
    texts[f'{plan.name}_retrieve.py'] = _retrieve(plan)
    return texts


def write_configs(plan: Experiment, folder: Path) -> list[str]:
    """Write the configs of an experiment into a new folder.

    Args:
        plan (Experiment): Its settings.
        folder (Path): A folder that is not there yet.

    Returns:
        list[str]: The commands that run the configs, in their order, quoted
        for a shell.

    Raises:
        OSError: If the folder cannot be written. Nothing is left of it.
    """
    texts = config_texts(plan)
    with replacing_folder(folder) as part:
        for name, text in texts.items():
            write_text(part / name, text)
    *trained, retrieve = ((folder / name).as_posix() for name in texts)
    commands = [['train', 'umurl_mmaction', path] for path in trained]
    if plan.without_test:
        use = [retrieve, plan.checkpoint]
        commands += [
            ['run', 'umurl_mmaction', 'extract_features', *use, '--out',
             'features.npz'],
            ['run', 'umurl_mmaction', 'predict', *use, plan.ann_file,
             '--num-nearest', '3']
        ]
    else:
        commands.append(['test', 'umurl_mmaction', retrieve, '--checkpoint',
                         plan.checkpoint])
    return [shlex.join(['mim', *command]) for command in commands]
