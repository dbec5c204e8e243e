"""Features on the plane, coloured by class."""
import textwrap
from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from .style import PALETTE

MARKERS = 'o^sDvP*X'
PANEL = 2.6  # inches


def choose_clips(labels: Sequence[Optional[int]], classes: Sequence[int],
                 per_class: int, seed: int) -> list[int]:
    """Draw clips of some classes at random.

    Args:
        labels (sequence of int): Labels of all clips.
        classes (sequence of int): The classes wanted.
        per_class (int): Largest number of clips of each class.
        seed (int): The seed of the draw.

    Returns:
        list[int]: Indices of clips, ascending.

    Raises:
        ValueError: If a class has no clip.
    """
    chosen: list[int] = []
    for label in classes:
        members = [i for i, known in enumerate(labels) if known == label]
        if not members:
            raise ValueError(f'no clip is of class {label}')
        # One generator for each class: other classes do not change the draw.
        generator = torch.Generator().manual_seed(seed + label)
        order = torch.randperm(len(members), generator=generator)
        chosen += [members[i] for i in order[:per_class].tolist()]
    return sorted(chosen)


def flatten(features: np.ndarray, method: str, seed: int = 0) -> np.ndarray:
    """Map features (G, F) to the plane, (G, 2), by t-SNE or PCA.

    Args:
        features (np.ndarray): (G, F).
        method (str): ``'tsne'`` or ``'pca'``.
        seed (int): The same seed gives the same map. Defaults to 0.

    Raises:
        ValueError: If there are fewer than three features.
    """
    if len(features) < 3:
        raise ValueError(f'{len(features)} clips are too few for a map of '
                         'features; wanted are 3 or more')
    if method == 'pca':
        return PCA(n_components=2, random_state=seed).fit_transform(features)
    # A neighbourhood cannot be larger than the set.
    perplexity = min(30., (len(features) - 1) / 3)
    return TSNE(
        n_components=2,
        perplexity=perplexity,
        init='pca',
        random_state=seed).fit_transform(features)


def draw_feature_map(maps: Mapping[str, np.ndarray],
                     labels: Sequence[int],
                     names: Mapping[int, str],
                     caption: str = '') -> Figure:
    """Draw a panel for each kind of features, and one legend.

    Args:
        maps (dict[str, np.ndarray]): Points (G, 2) by title.
        labels (sequence of int): Classes of the G clips.
        names (dict[int, str]): Names of the classes by label, in the order
            of the legend.
        caption (str): Says what the panels show; its lines are broken to fit.
            Defaults to '': none.
    """
    width = PANEL * len(maps)
    longest = max(len(name) for name in names.values())
    columns = max(1, min(len(names), int(width * 10 / (longest + 5))))
    rows = -(-len(names) // columns)
    lines = [
        part for line in caption.splitlines()
        for part in textwrap.wrap(line, int(width * 14))
    ]
    figure = Figure(
        figsize=(width, PANEL + 0.35 + 0.22 * rows + 0.18 * len(lines)),
        dpi=110,
        layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.06))
    if lines:
        figure.suptitle('\n'.join(lines), fontsize=9)
    label = np.asarray(labels)
    handles = []
    for axes, (title, points) in zip(
            figure.subplots(1, len(maps), squeeze=False)[0], maps.items()):
        handles = [
            axes.scatter(
                *points[label == one].T,
                color=PALETTE[i % 10],
                marker=MARKERS[i // 10 % len(MARKERS)],
                s=14,
                linewidths=0,
                alpha=0.85,
                label=name) for i, (one, name) in enumerate(names.items())
        ]
        axes.set_title(title, fontsize=10)
        axes.set(xticks=[], yticks=[])
        axes.set_aspect('equal', adjustable='datalim')
        axes.set_box_aspect(1)
        axes.spines[:].set_color('#cccccc')
    figure.legend(
        handles=handles,
        loc='outside lower center',
        ncols=columns,
        frameon=False,
        fontsize=9,
        markerscale=1.8,
        handletextpad=0.2)
    return figure
