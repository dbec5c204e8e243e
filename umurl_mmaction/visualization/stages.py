"""The steps from an annotated clip to the views of pre-training."""
import copy
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple, Optional

import numpy as np
from mmaction.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose

from ..datasets.transforms import SkeletonMultiView
from ..datasets.transforms.normalize import normalizes_2d
from ..skeleton.layout import Layout, build_layout

MULTI_VIEW = 'SkeletonMultiView'
RESIZE = 'TemporalCropResize'


class ConfigSteps(NamedTuple):
    """The steps that a config names for a clip.

    Args:
        dataset (dict): Config of the dataset without any transform.
        prepare (list[dict]): Transforms of every clip, before the views.
        views (dict, optional): Config of the ``SkeletonMultiView``.
    """
    dataset: dict
    prepare: list[dict]
    views: Optional[dict]

    @property
    def before_resize(self) -> list[dict]:
        """Those of ``prepare`` that see all frames of the clip."""
        return list(
            takewhile(lambda step: step['type'] != RESIZE, self.prepare))


class ClipStages(NamedTuple):
    """A clip after each step.

    A score, the third coordinate of 2D keypoints, is left out.

    Args:
        raw (np.ndarray): As annotated, (M, T, V, C), float32.
        normalized (np.ndarray): Before it is resized in time, (M, T, V, C),
            float32.
        views (list[np.ndarray]): Augmented, (M, clip_len, V, C) each,
            float32.
        notes (list[str]): The random choices of each view: a line for each
            transform that reports them in ``results['augmentations']``.
    """
    raw: np.ndarray
    normalized: np.ndarray
    views: list[np.ndarray]
    notes: list[str]


def dataset_config(cfg: Config, loader: str) -> Any:
    """Return the config of the dataset of a dataloader.

    Args:
        cfg (Config): An experiment.
        loader (str): Key of a dataloader.

    Raises:
        ValueError: If there is no such dataloader.
    """
    if loader not in cfg:
        known = [key for key in cfg if str(key).endswith('_dataloader')]
        raise ValueError(f'the config has no {loader!r}, only {known}')
    return cfg[loader].dataset


def find_steps(cfg: Config, loader: str) -> ConfigSteps:
    """Find the steps of a clip in a config.

    The dataset (``prepare``) or its pipeline prepares the clip. The pipeline
    or the model's data preprocessor (``views``) makes the views.

    Args:
        cfg (Config): An experiment.
        loader (str): Key of a dataloader.

    Raises:
        ValueError: If there is no such dataloader.
    """
    dataset = copy.deepcopy(dataset_config(cfg, loader))
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
    preprocessor = cfg.model.get('data_preprocessor') or {}
    if views is None and loader == 'train_dataloader':
        views = preprocessor.get('views')
    return ConfigSteps(dataset, prepare, views)


def build_views(
        model: dict,
        views: dict) -> tuple[list[SkeletonMultiView], list[str]]:
    """Build each view that a model takes.

    Args:
        model (dict): Config of the model.
        views (dict): Config of the ``SkeletonMultiView``.

    Returns:
        tuple[list[SkeletonMultiView], list[str]]: A transform that makes a
        single view, for each; and the stream that each view gives, none if
        the model does not say so.
    """
    algorithm = MODELS.build(model)
    transform = TRANSFORMS.build(views)
    transform.fit(algorithm.num_views, algorithm.backbone.input_shape[1])
    built = [
        SkeletonMultiView([pipeline.transforms])
        for pipeline, count in zip(transform.pipelines, transform.num_views)
        for _ in range(count)
    ]
    branches = getattr(algorithm, 'branches', None)
    return built, [*branches, 'all'] if branches else []


def find_layout(cfg: Config, dataset: Any) -> Layout:
    """Return the layout of a dataset's clips.

    The encoder's ``graph_cfg`` decides, then the layout that the dataset has
    read from its file; the default is ``'nturgb+d'``.
    """
    graph_cfg = cfg.model.backbone.get('graph_cfg')
    if graph_cfg:
        return build_layout(graph_cfg['layout'])
    return getattr(dataset, 'layout', None) or build_layout('nturgb+d')


def clip_labels(dataset: Any) -> list[tuple[str, Optional[int]]]:
    """Return the name and the label (or None) of each clip of a dataset."""
    if hasattr(dataset, 'labels'):
        return dataset.labels
    clips = map(dataset.get_data_info, range(len(dataset)))
    return [(clip['frame_dir'], clip.get('label')) for clip in clips]


class StageSource:
    """The clips of a config's dataset, after each step.

    Args:
        cfg (Config): An experiment.
        loader (str): Key of a dataloader. Defaults to
            ``'train_dataloader'``.

    Attributes:
        dataset (Dataset): The clips as annotated.
        labels (list[tuple[str, int | None]]): Name and label of each clip.
        layout (Layout): Their layout.
        centered (bool): Whether the centre joint at 0 may be there: pixels
            are not centred.
        names (list[str]): The stream of each view; empty if it is not known.

    Raises:
        ValueError: If there is no such dataloader.
    """

    def __init__(self, cfg: Config, loader: str = 'train_dataloader') -> None:
        steps = find_steps(cfg, loader)
        self.dataset = DATASETS.build(dict(steps.dataset, pipeline=[]))
        self.layout = find_layout(cfg, self.dataset)
        self.labels = clip_labels(self.dataset)
        first = steps.before_resize
        self._normalize = Compose(first)
        self._resize = Compose(steps.prepare[len(first):])
        self.centered = not any(
            map(normalizes_2d, [*self._normalize.transforms,
                                *self._resize.transforms]))
        # Each view is a call of its own, to keep its notes apart.
        self._views: list[SkeletonMultiView] = []
        self.names: list[str] = []
        if steps.views is not None:
            self._views, self.names = build_views(cfg.model, steps.views)

    def pick(self, wanted: Sequence[str], seed: int) -> list[int]:
        """Find clips by their names or numbers, or draw three at random.

        Args:
            wanted (sequence of str): Names or numbers of clips.
            seed (int): The seed of the draw, if nothing is wanted.

        Returns:
            list[int]: Indices of the clips.

        Raises:
            ValueError: If there is no such clip.
        """
        names = [name for name, _ in self.labels]
        if not wanted:
            drawn = np.random.default_rng(seed).choice(
                len(names), min(3, len(names)), replace=False)
            return sorted(drawn.tolist())
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
        """Run the steps on a clip.

        Raises:
            ValueError: If the clip has another layout.
        """
        results = self.dataset.get_data_info(index)
        results['layout'] = self.layout
        # A transform may write into the array it is given.
        raw = np.array(results['keypoint'], np.float32)
        self.layout.check(raw.shape, f'clip {results["frame_dir"]!r}')
        results = self._normalize(results)
        normalized = results['keypoint'].copy()
        results = self._resize(results)
        views, notes = [], []
        for transform in self._views:
            choices: list[str] = []
            made = transform(dict(results, augmentations=choices))
            views.extend(made['views'])
            notes.append('\n'.join(choices))
        if not self.centered:
            # Without the score.
            raw, normalized, *views = (
                clip[..., :2] for clip in (raw, normalized, *views))
        return ClipStages(raw, normalized, views, notes)
