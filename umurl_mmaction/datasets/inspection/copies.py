"""Clips that are in two sets."""
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from .measure import evenly

# Share of a clip's largest coordinate by which copies may differ: four times
# the rounding of float16. Two recordings do not agree so well in each frame.
TOLERANCE = 2e-3


class Copies(NamedTuple):
    """Indices of the clips of a set that are in another set as well.

    Args:
        asked (int): How many clips were looked for.
        equal (list[tuple[int, int]]): Pairs that are equal to the bit.
        centered (list[tuple[int, int]]): Further pairs that are equal once
            the centre joint is at the origin.
    """
    asked: int
    equal: list[tuple[int, int]]
    centered: list[tuple[int, int]]


def center_clip(keypoint: np.ndarray, center: int) -> np.ndarray:
    """Move the first body's centre to the origin in each frame.

    Args:
        keypoint (np.ndarray): (M, T, V, C); zeros are missing and stay.
        center (int): The centre joint.

    Returns:
        np.ndarray: (M, T, V, C), float32.
    """
    joints = keypoint.astype(np.float32)
    origin = joints[:1, :, center:center + 1]
    return np.where(joints.any(axis=-1, keepdims=True), joints - origin, 0)


def _first_pose(keypoint: np.ndarray, center: int) -> np.ndarray:
    """Return the first pose of body 0, centred, (V x C, )."""
    first = int(keypoint[0].any(axis=(1, 2)).argmax())
    return center_clip(keypoint[:1, first:first + 1], center).ravel()


class _Table:
    """The first poses of the clips of one shape, sorted by their sums."""

    def __init__(self, rows: Sequence[tuple[int, np.ndarray]]) -> None:
        poses = np.stack([pose for _, pose in rows])
        sums = np.abs(poses).sum(axis=1)
        order = sums.argsort(kind='stable')
        self._sums, self._poses = sums[order], poses[order]
        self._clips = np.array([i for i, _ in rows])[order]

    def find(self, pose: np.ndarray) -> list[int]:
        """Return the clips whose first pose is that of a copy."""
        limit = TOLERANCE * np.abs(pose).max()
        total, margin = np.abs(pose).sum(), limit * pose.size
        low, high = np.searchsorted(self._sums,
                                    [total - margin, total + margin])
        near = np.abs(self._poses[low:high] - pose).max(axis=1) <= limit
        return sorted(self._clips[low:high][near].tolist())


def find_copies(queries: Sequence[np.ndarray],
                gallery: Sequence[np.ndarray],
                center: int = 0,
                limit: Optional[int] = None) -> Copies:
    """Find the clips of a set that another set has as well.

    Only clips of one shape whose first poses agree are compared in full, so
    that the work grows with the number of clips.

    Args:
        queries (Sequence[np.ndarray]): (M, T, V, C) each.
        gallery (Sequence[np.ndarray]): The other set.
        center (int): The centre joint. Defaults to 0.
        limit (int, optional): Largest number of queries, evenly over the
            set. Defaults to None: all.

    Returns:
        Copies: Pairs of a query and its first copy. Clips of zeros have
        none.
    """
    asked = evenly(len(queries), limit)
    wanted = {queries[i].shape for i in asked}
    groups: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    for i, clip in enumerate(gallery):
        if clip.shape in wanted:
            groups.setdefault(clip.shape, []).append(
                (i, _first_pose(clip, center)))
    tables = {shape: _Table(rows) for shape, rows in groups.items()}
    copies = Copies(len(asked), [], [])
    for i in asked:
        query = queries[i]
        pose = _first_pose(query, center)
        if query.shape not in tables or not pose.any():
            continue
        found = tables[query.shape].find(pose)
        same = [j for j in found if np.array_equal(query, gallery[j])]
        if same:
            copies.equal.append((i, same[0]))
            continue
        mine = center_clip(query, center)
        most = TOLERANCE * np.abs(mine).max()
        for j in found:
            if np.abs(mine - center_clip(gallery[j], center)).max() <= most:
                copies.centered.append((i, j))
                break
    return copies
