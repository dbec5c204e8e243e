"""What a config makes of a clip, step by step."""
import copy
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
import torch
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import Tensor

from ..skeleton.layout import Layout, build_layout

MULTI_VIEW = 'SkeletonMultiView'
RESIZE = 'TemporalCropResize'


class ConfigSteps(NamedTuple):
    """Where a config says what happens to a clip.

    Args:
        dataset (dict): The dataset, without any step.
        prepare (list[dict]): Transforms of every clip, before the views.
        views (dict, optional): The ``SkeletonMultiView``.
        names (list[str]): What each view is for; empty if not known.
    """
    dataset: dict
    prepare: list[dict]
    views: Optional[dict]
    names: list[str]


class ClipStages(NamedTuple):
    """A clip and what becomes of it.

    Args:
        raw (np.ndarray): As annotated, (M, T, V, C).
        normalized (np.ndarray): Before it is resized in time, (M, T, V, C).
        views (list[np.ndarray]): Augmented, (M, clip_len, V, C) each.
        notes (list[str]): What was done for each view, as far as known.
    """
    raw: np.ndarray
    normalized: np.ndarray
    views: list[np.ndarray]
    notes: list[str]


def find_steps(cfg: Config, loader: str) -> ConfigSteps:
    """Find the steps of a clip, all of them in the dataset or not.

    The clip is prepared by the dataset (``prepare``) or its pipeline; the
    views are made by the pipeline or the model's data preprocessor
    (``views``).

    Args:
        cfg (Config): An experiment.
        loader (str): Key of a dataloader.

    Returns:
        ConfigSteps: The steps.

    Raises:
        ValueError: If there is no such dataloader.
    """
    if loader not in cfg:
        known = [key for key in cfg if str(key).endswith('_dataloader')]
        raise ValueError(f'the config has no {loader!r}, only {known}')
    dataset = copy.deepcopy(cfg[loader].dataset)
    while 'dataset' in dataset:  # wrappers such as RepeatDataset
        dataset = dataset.dataset
    steps = [*dataset.pop('prepare', ()), *dataset.pop('pipeline', ())]
    prepare = []
    views = None
    for step in steps:
        if step['type'] == MULTI_VIEW:
            views = step
        if step['type'] == MULTI_VIEW or step['type'].startswith('Pack'):
            break
        prepare.append(step)
    if views is None and loader == 'train_dataloader':
        preprocessor = cfg.model.get('data_preprocessor') or {}
        views = preprocessor.get('views')
    branches = cfg.model.get('branches') or cfg.model.get('modalities', ())
    return ConfigSteps(dataset, prepare, views, [*branches, 'all'])


def find_layout(cfg: Config) -> Layout:
    """The layout that a config's encoder has been told.

    Raises:
        ValueError: If there is none.
    """
    for part in (cfg.model.get('backbone') or {}, cfg.model):
        if 'layout' in (part.get('graph_cfg') or {}):
            return build_layout(part['graph_cfg']['layout'])
    raise ValueError('the config does not say which layout the clips have: '
                     'model.backbone.graph_cfg.layout is wanted')


def clip_labels(dataset: Any) -> list[tuple[str, Optional[int]]]:
    """Name and label of each clip of a dataset, also of a stock one."""
    if hasattr(dataset, 'labels'):
        return dataset.labels
    clips = map(dataset.get_data_info, range(len(dataset)))
    return [(clip['frame_dir'], clip.get('label')) for clip in clips]


def _corrupted(maps: Tensor, num: int, num_joints: int,
               num_coords: int) -> str:
    changed = (maps[0] != torch.eye(num_coords)).any(-1).any(-1)
    what = 'distorted' if maps[0][changed].any() else 'set to 0'
    return f'{int(changed.sum())} of {num_joints} joints {what}\n'


# What was drawn, in words, by transform and method.
_WORDS: dict[tuple[str, str], Callable[..., str]] = {
    ('TemporalCropResize', 'draw_crops'):
    lambda drawn, total:
    f'frames {drawn[0] + 1} to {drawn[0] + drawn[1]} of {total}\n',
    ('JointCorruption', 'draw_maps'): _corrupted,
    ('PoseShear', 'draw_maps'): lambda *drawn: 'sheared\n',
}


def _leaves(step: Any) -> Iterator[Any]:
    """The transforms within a transform."""
    parts = [*getattr(step, 'pipelines', ()), *getattr(step, 'transforms', ())]
    if not parts:
        yield step
    for part in parts:
        yield from _leaves(part)


def _take_notes(transform: Any, notes: list[str]) -> None:
    """Let a transform write down what it draws, now and later."""

    def noting(draw: Callable, words: Callable[..., str]) -> Callable:

        def draw_and_note(*args: Any) -> Any:
            drawn = draw(*args)
            notes.append(words(drawn, *args))
            return drawn

        return draw_and_note

    for leaf in _leaves(transform):
        for (owner, method), words in _WORDS.items():
            if type(leaf).__name__ == owner and hasattr(leaf, method):
                setattr(leaf, method, noting(getattr(leaf, method), words))


class StageSource:
    """The clips of a config's dataset, and what becomes of them.

    Args:
        cfg (Config): An experiment.
        loader (str): Key of a dataloader. Defaults to
            ``'train_dataloader'``.

    Attributes:
        dataset (Dataset): The clips as annotated.
        labels (list[tuple[str, int | None]]): Name and label of each clip.
        layout (Layout): Their layout.
        names (list[str]): What each view is for; empty if not known.
    """

    def __init__(self, cfg: Config, loader: str = 'train_dataloader') -> None:
        steps = find_steps(cfg, loader)
        self.layout = find_layout(cfg)
        self.dataset = DATASETS.build(dict(steps.dataset, pipeline=[]))
        self.labels = clip_labels(self.dataset)
        types = [step['type'] for step in steps.prepare]
        resize = types.index(RESIZE) if RESIZE in types else len(types)
        self._normalize = Compose(steps.prepare[:resize])
        self._resize = Compose(steps.prepare[resize:])
        # A transform a view: then it is known what was drawn for which.
        self._views: list[tuple[Callable, list[str]]] = []
        if steps.views is not None:
            pipelines = steps.views['transforms']
            counts = steps.views.get('num_views') or [1] * len(pipelines)
            for pipeline, count in zip(pipelines, counts):
                for _ in range(count):
                    notes: list[str] = []
                    view = TRANSFORMS.build(
                        dict(type=MULTI_VIEW, transforms=[pipeline]))
                    _take_notes(view, notes)
                    self._views.append((view, notes))
        self.names = (
            steps.names if len(steps.names) == len(self._views) else [])

    def pick(self, wanted: Sequence[str], seed: int,
             count: int = 3) -> list[int]:
        """Find clips.

        Args:
            wanted (sequence of str): Names or numbers of clips.
            seed (int): Fixes what is drawn if none is wanted.
            count (int): How many are drawn then, at most. Defaults to 3.

        Returns:
            list[int]: Their indices.

        Raises:
            ValueError: If there is no such clip.
        """
        names = [name for name, _ in self.labels]
        if not wanted:
            rng = np.random.default_rng(seed)
            count = min(count, len(names))
            return sorted(
                rng.choice(len(names), count, replace=False).tolist())
        clips = []
        for clip in wanted:
            if clip in names:
                clips.append(names.index(clip))
            elif clip.isdigit() and int(clip) < len(names):
                clips.append(int(clip))
            else:
                raise ValueError(f'there is no clip {clip!r}: wanted is a '
                                 f'name, or a number from 0 to '
                                 f'{len(names) - 1}')
        return clips

    def __getitem__(self, index: int) -> ClipStages:
        """Run the steps on a clip."""
        results = self.dataset.get_data_info(index)
        # A transform may write into the array it is given.
        raw = np.array(results['keypoint'], np.float32)
        self.layout.check(raw.shape, f'clip {results["frame_dir"]!r}')
        results = self._normalize(results)
        normalized = results['keypoint'].copy()
        results = self._resize(results)
        views, said = [], []
        for transform, notes in self._views:
            notes.clear()
            views.extend(transform(dict(results))['views'])
            said.append(''.join(notes).strip())
        return ClipStages(raw, normalized, views, said)
