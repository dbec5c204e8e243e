"""The paper's augmentations and normalisation, one sample at a time."""
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
