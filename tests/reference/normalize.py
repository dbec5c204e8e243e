"""The paper's normalisation of one clip, in numpy: the oracle of the tests.

``repair_missing_frames`` and ``align_bodies`` are the package's former code;
``skeleton/normalize.py`` must give the same bits for a clip.
"""
import numpy as np


def repair_missing_frames(keypoint: np.ndarray) -> np.ndarray:
    """Close the gap before a body's first frame and after its last one.

    A body that is absent at first loses all its empty frames and starts at
    frame 0. The frames after its last one are filled by repeating it in a
    loop. Empty frames between are left.

    Args:
        keypoint (np.ndarray): (M, T, V, C).

    Returns:
        np.ndarray: A new array, (M, T, V, C), of the same dtype.
    """
    repaired = keypoint.copy()
    for body in repaired:
        present = np.flatnonzero(body.any(axis=(1, 2)))
        if not len(present):
            continue
        if present[0] > 0:
            body[:len(present)] = body[present]
            num_frames = len(present)
        else:
            num_frames = present[-1] + 1
        body[num_frames:] = body[np.arange(len(body) - num_frames) %
                                 num_frames]
    return repaired


def rotation_onto_x(vector: np.ndarray) -> np.ndarray:
    """The smallest rotation that turns a 3D vector onto +x.

    Args:
        vector (np.ndarray): (3, ).

    Returns:
        np.ndarray: (3, 3) float64; the identity for a zero vector, half a
        turn around y for one along -x.
    """
    length = np.linalg.norm(vector)
    if length < 1e-6:
        return np.eye(3)
    x, y, z = vector / length
    if x < -1 + 1e-12:
        return np.diag([-1., 1., -1.])
    # Rodrigues' formula for the axis (vector x e_x) and cos(angle) = x.
    cross = np.array([[0., y, z], [-y, 0., 0.], [-z, 0., 0.]])
    return np.eye(3) + cross + cross @ cross / (1 + x)


def align_bodies(keypoint: np.ndarray, layout) -> np.ndarray:
    """Centre both bodies on body 0 and turn its shoulder line onto +x.

    Args:
        keypoint (np.ndarray): (M, T, V, C). Joints at exactly 0 are missing
            and stay there.
        layout (Layout): Gives the centre joint, and the shoulders if bodies
            are to be rotated (C = 3 only).

    Returns:
        np.ndarray: (M, T, V, C) of the same dtype.
    """
    present = keypoint.any(axis=-1, keepdims=True)
    center = keypoint[:1, :, layout.center:layout.center + 1]
    aligned = (keypoint - center) * present
    if layout.shoulders is None or keypoint.shape[-1] != 3:
        return aligned
    start, end = layout.shoulders
    shoulder_line = aligned[0, 0, end] - aligned[0, 0, start]
    rotation = rotation_onto_x(shoulder_line.astype(np.float64))
    return (aligned @ rotation.T).astype(keypoint.dtype)


def normalize(keypoint, layout):
    """(M, T, V, C) -> (M, T, V, C)."""
    return align_bodies(repair_missing_frames(keypoint), layout)
