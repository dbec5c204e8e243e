"""Bodies of a video, which an estimator finds in each frame anew."""
from collections.abc import Sequence

import numpy as np

# Largest distance of a body from where it was last, as a share of its size.
MAX_DISTANCE = 0.5
# Frames that a body may be away, about a second.
MAX_GAP = 30
# Stands for no match; any match costs less.
_FAR = 1e6


def box_sizes(bodies: np.ndarray) -> np.ndarray:
    """Return the diagonal of the box around the joints of each body.

    Args:
        bodies (np.ndarray): (P, V, C + 1), coordinates and score; joints with
            a score of 0 are missing.

    Returns:
        np.ndarray: (P, ); 0 for a body without joints.
    """
    there = bodies[..., -1:] > 0
    coords = bodies[..., :-1]
    low = np.where(there, coords, np.inf).min(axis=1)
    high = np.where(there, coords, -np.inf).max(axis=1)
    extent = np.where(there.any(axis=1), high - low, 0)
    return np.linalg.norm(extent, axis=-1)


def match_costs(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Compare the bodies of two frames.

    Args:
        before (np.ndarray): (K, V, C + 1), coordinates and score; joints with
            a score of 0 are missing.
        now (np.ndarray): (P, V, C + 1).

    Returns:
        np.ndarray: (K, P): mean distance of the joints that both have, as a
        share of the larger body's size; infinite if they have none.
    """
    both = (before[:, None, :, -1] > 0) & (now[None, :, :, -1] > 0)
    distances = np.linalg.norm(
        before[:, None, :, :-1] - now[None, :, :, :-1], axis=-1)
    sizes = np.maximum(box_sizes(before)[:, None], box_sizes(now)[None])
    with np.errstate(divide='ignore', invalid='ignore'):
        costs = (distances * both).sum(axis=-1) / both.sum(axis=-1) / sizes
    return np.where(np.isnan(costs), np.inf, costs)


def follow(frames: Sequence[np.ndarray],
           max_gap: int = MAX_GAP) -> list[dict[int, int]]:
    """Follow the bodies from frame to frame.

    The Hungarian method pairs the bodies of a frame with those seen before so
    that the sum of :func:`match_costs` is least. A pair further apart than
    :data:`MAX_DISTANCE` is none, and a body that is away for more than
    ``max_gap`` frames has left: who comes then is another one.

    Args:
        frames (Sequence[np.ndarray]): (P, V, C + 1) each, coordinates and
            score, with a P of its own.
        max_gap (int): Frames that a body may be away. Defaults to
            :data:`MAX_GAP`.

    Returns:
        list[dict[int, int]]: For each body, the order of its first frames:
        frame -> its index in that frame.
    """
    # Imported late: most converters do without SciPy.
    from scipy.optimize import linear_sum_assignment
    tracks: list[dict[int, int]] = []
    # Last frame and pose of those who have not left.
    active: dict[int, tuple[int, np.ndarray]] = {}
    for t, bodies in enumerate(frames):
        active = {
            i: (last, pose)
            for i, (last, pose) in active.items() if t - last <= max_gap + 1
        }
        found: dict[int, int] = {}
        if active and len(bodies):
            ids = list(active)
            costs = match_costs(
                np.stack([active[i][1] for i in ids]), bodies)
            costs[costs > MAX_DISTANCE] = _FAR
            for row, body in zip(*linear_sum_assignment(costs)):
                if costs[row, body] < _FAR:
                    found[int(body)] = ids[row]
        for body, pose in enumerate(bodies):
            if body not in found:
                found[body] = len(tracks)
                tracks.append({})
            tracks[found[body]][t] = body
            active[found[body]] = (t, pose)
    return tracks


def main_bodies(frames: Sequence[np.ndarray],
                num_person: int,
                max_gap: int = MAX_GAP) -> tuple[np.ndarray, int]:
    """Keep the main bodies of a video.

    Those weigh most whom the picture shows long, large and surely: the sum
    over the frames of size times mean score.

    Args:
        frames (Sequence[np.ndarray]): (P, V, C + 1) each, coordinates and
            score, with a P of its own; joints with a score of 0 are missing.
        num_person (int): Largest number of bodies to keep.
        max_gap (int): Frames that a body may be away. Defaults to
            :data:`MAX_GAP`.

    Returns:
        tuple[np.ndarray, int]: (M, T, V, C + 1), the main body first, zeros
        where one is away; and how many bodies are left out. M is 0 if there
        is none.
    """
    tracks = follow(frames, max_gap)
    weights = [
        float(bodies[..., -1].mean(axis=1) @ box_sizes(bodies))
        for bodies in (np.stack([frames[t][i] for t, i in track.items()])
                       for track in tracks)
    ]
    order = sorted(range(len(tracks)), key=lambda i: -weights[i])[:num_person]
    shape = frames[0].shape[1:]
    kept = np.zeros((len(order), len(frames), *shape))
    for m, i in enumerate(order):
        for t, body in tracks[i].items():
            kept[m, t] = frames[t][body]
    return kept, len(tracks) - len(order)
