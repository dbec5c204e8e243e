from numbers import Integral

import numpy as np

# The largest number of float16: a clip may be stored in it, and the first
# layer may compute in it. Pixels of any camera and the millimetres of a room
# are far below, also before a normalisation.
LARGEST_COORDINATE = float(np.finfo(np.float16).max)


def check_clip(clip: dict, source: str) -> None:
    """Refuse an annotation that is not of MMAction2's format.

    Args:
        clip (dict): The annotation of one clip.
        source (str): Its file, for the message.

    Raises:
        ValueError: The message names the clip and what is wanted.
    """
    name = f'clip {clip.get("frame_dir")!r} of {source!r}'
    keypoint = clip.get('keypoint')
    if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4:
        got = getattr(keypoint, 'shape', type(keypoint).__name__)
        raise ValueError(f'{name} has keypoint {got}, wanted is an array (M, '
                         'T, V, C): bodies, frames, joints, coordinates')
    if keypoint.dtype.kind not in 'fiu':
        raise ValueError(f'{name} has coordinates of dtype {keypoint.dtype}, '
                         'wanted are real numbers')
    for axis, what in enumerate(('body', 'frame', 'joint', 'coordinate')):
        if not keypoint.shape[axis]:
            raise ValueError(f'{name} has no {what}: keypoint is '
                             f'{keypoint.shape}; leave the clip out')
    num_frames = clip.get('total_frames', keypoint.shape[1])
    if num_frames != keypoint.shape[1]:
        raise ValueError(f'{name} has total_frames={num_frames}, but its '
                         f'keypoint {keypoint.shape} has {keypoint.shape[1]}')
    label = clip.get('label')
    if label is not None and (not isinstance(label, Integral) or label < 0):
        raise ValueError(f'{name} has label {label!r}, wanted is an integer '
                         'from 0 on, or no label')


def finite_keypoint(keypoint: np.ndarray, name: str,
                    nonfinite: str) -> np.ndarray:
    """Refuse joints with NaN or infinity, or set them to 0.

    Args:
        keypoint (np.ndarray): (M, T, V, C).
        name (str): Name of the clip, for the message.
        nonfinite (str): ``'error'`` to refuse such joints, ``'missing'`` to
            set them to 0, like joints that the sensor has not seen.

    Returns:
        np.ndarray: The array itself if it is finite, else a new one.

    Raises:
        ValueError: The message names the first such joint.
    """
    # The sum takes one pass, and is not finite if any number is not.
    if np.isfinite(keypoint.sum(dtype=np.float64)):
        return keypoint
    bad = ~np.isfinite(keypoint).all(axis=-1)
    if nonfinite == 'error':
        body, frame, joint = np.argwhere(bad)[0]
        raise ValueError(
            f'{name} is not finite at body {body}, frame {frame}, joint '
            f"{joint}; with nonfinite='missing' such joints are set to 0")
    return np.where(bad[..., None], 0, keypoint)


def check_range(keypoint: np.ndarray, name: str) -> None:
    """Refuse coordinates that no encoder can use.

    One such clip makes features that are not finite, and these take the
    retrieval of all other clips to chance.

    Args:
        keypoint (np.ndarray): (M, T, V, C), after ``prepare``.
        name (str): Name of the clip, for the message.

    Raises:
        ValueError: If one is beyond :data:`LARGEST_COORDINATE`, or not
            finite. The message names the first such joint.
    """
    # Neither makes an array; both are NaN if a number is.
    if (keypoint.max() <= LARGEST_COORDINATE
            and keypoint.min() >= -LARGEST_COORDINATE):
        return
    bad = np.argwhere(~(np.abs(keypoint) <= LARGEST_COORDINATE))[0]
    raise ValueError(
        '{} has the coordinate {:g} at body {}, frame {}, joint {}, after '
        'prepare; wanted is at most {:g}: leave the clip out, or scale the '
        'set'.format(name, keypoint[tuple(bad)], *bad[:3],
                     LARGEST_COORDINATE))
