"""The paper's augmentations and normalisation, one sample at a time.

``crop_resize`` and ``normalize`` are spelt out: the oracle of the tests. From
``resize`` on it is what one would write in NumPy: the baseline of
``benchmarks/benchmark.py``.
"""
import math

import numpy as np


def crop_resize(clip, start, length, clip_len):
    """(M, T, V, C) -> (M, clip_len, V, C), frame by frame."""
    out = np.zeros((clip.shape[0], clip_len) + clip.shape[2:], clip.dtype)
    for i in range(clip_len):
        position = (i + 0.5) * length / clip_len - 0.5
        position = min(max(position, 0), length - 1)
        left = int(math.floor(position))
        right = min(left + 1, length - 1)
        weight = position - left
        out[:, i] = ((1 - weight) * clip[:, start + left] +
                     weight * clip[:, start + right])
    return out


def normalize(clip):
    """`SkeletonPreNormalize` on (M, T, 25, 3), spelt out."""
    clip = clip.copy()
    for m in range(len(clip)):
        frames = [f.copy() for f in clip[m] if f.any()]
        if not frames:
            continue
        if not clip[m, 0].any():
            clip[m] = 0
            clip[m, :len(frames)] = frames
        last = max(t for t in range(clip.shape[1]) if clip[m, t].any())
        for t in range(last + 1, clip.shape[1]):
            clip[m, t] = clip[m, (t - last - 1) % (last + 1)]
    spine = clip[0, :, 1].copy()
    for m, t, v in np.ndindex(clip.shape[:3]):
        if clip[m, t, v].any():
            clip[m, t, v] -= spine[t]
    line = clip[0, 0, 8].astype(float) - clip[0, 0, 4].astype(float)
    if not np.linalg.norm(line):
        return clip
    line /= np.linalg.norm(line)
    axis = np.cross(line, [1, 0, 0])
    axis /= np.linalg.norm(axis)
    angle = np.arccos(line[0])
    for m, t, v in np.ndindex(clip.shape[:3]):
        x = clip[m, t, v]
        clip[m, t, v] = (
            x * np.cos(angle) + np.cross(axis, x) * np.sin(angle) +
            axis * (axis @ x) * (1 - np.cos(angle)))
    return clip


def resize(clip, start, length, clip_len):
    """``crop_resize`` without a loop."""
    position = (np.arange(clip_len) + 0.5) * (length / clip_len) - 0.5
    position = position.clip(0, length - 1)
    left = position.astype(np.int64)
    right = np.minimum(left + 1, length - 1)
    weight = (position - left).astype(clip.dtype)[:, None, None]
    before, after = clip[:, start + left], clip[:, start + right]
    after -= before
    after *= weight
    after += before
    return after


def draw_crop(num_frames, rng, ratio=(0.1, 1.0), min_len=64):
    """First frame and length of a crop."""
    length = int(num_frames * rng.uniform(*ratio))
    length = min(max(length, min_len), num_frames)
    return int(rng.integers(num_frames - length + 1)), length


def draw_matrix(rng, dtype):
    return rng.uniform(-1, 1, (3, 3)).astype(dtype)


def corrupt(clip, joints, matrix):
    """Set joints to 0 (no matrix) or multiply them as row vectors."""
    clip[:, :, joints] = 0 if matrix is None else clip[:, :, joints] @ matrix
    return clip


def shear(clip, matrix):
    """Multiply all joints as column vectors."""
    return (clip.reshape(-1, 3) @ matrix.T).reshape(clip.shape)


def augment(clip, rng, clip_len=64):
    """A view of a clip: (M, T, 25, 3) -> (M, clip_len, 25, 3)."""
    view = resize(clip, *draw_crop(clip.shape[1], rng), clip_len)
    if rng.random() < 0.5:
        joints = rng.permutation(25)[:15]
        zero = rng.random() < 0.5
        return corrupt(view, joints,
                       None if zero else draw_matrix(rng, clip.dtype))
    matrix = draw_matrix(rng, clip.dtype)
    np.fill_diagonal(matrix, 1)
    return shear(view, matrix)


def views(clips, rng, num_person=2, count=4, clip_len=64):
    """Views of a batch of clips: ``count`` of (N, M, clip_len, 25, 3)."""
    shape = (count, len(clips), num_person, clip_len, 25, 3)
    batch = np.zeros(shape, clips[0].dtype)
    for n, clip in enumerate(clips):
        for i in range(count):
            batch[i, n, :len(clip)] = augment(clip, rng, clip_len)
    return batch


def swap_sides(clip, names, mirror):
    """Swap the joints ``left_...`` and ``right_...`` of (M, T, V, C)."""
    out = clip.copy()
    for v, name in enumerate(names):
        side, _, rest = name.partition('_')
        other = dict(left='right_' + rest, right='left_' + rest).get(side)
        if other in names:
            out[:, :, v] = clip[:, :, names.index(other)]
    if mirror:
        out[..., 0] = -out[..., 0]
    return out


def scale_bones(clip, factors, parents, center):
    """Scale the bones of (M, T, V, C), joint by joint from the centre."""
    neighbours = {v: [] for v in range(len(parents))}
    for v, parent in enumerate(parents):
        if parent != -1:
            neighbours[v].append(parent)
            neighbours[parent].append(v)
    out = clip.copy()
    for m, t in np.ndindex(clip.shape[:2]):
        old, new = clip[m, t], out[m, t]
        shift = {center: np.zeros(clip.shape[-1])}
        waiting = [center]
        while waiting:
            w = waiting.pop()
            for v in neighbours[w]:
                if v in shift:
                    continue
                shift[v] = shift[w]
                # A centre at the origin in all frames is no missing one.
                known = old[w].any() or (w == center
                                         and not clip[m, :, w].any())
                if known and old[v].any():
                    shift[v] = shift[w] + (factors[v] - 1) * (old[v] - old[w])
                if old[v].any():
                    new[v] = old[v] + shift[v]
                waiting.append(v)
    return out
