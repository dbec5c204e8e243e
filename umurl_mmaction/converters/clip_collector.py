from collections.abc import Iterable, Sequence
from typing import Any, Optional

import numpy as np

from ..skeleton.skeleton_file import Skeleton


def make_annotation(name: str, label: Optional[int],
                    keypoint: np.ndarray) -> dict[str, Any]:
    """Make MMAction2's annotation of a clip.

    Args:
        name (str): Name of the clip.
        label (int, optional): Its class, from 0; None if it has none.
        keypoint (np.ndarray): Float32, shape (M, T, V, C).

    Returns:
        dict: ``frame_dir``, ``label`` (if there is one), ``total_frames``
        and ``keypoint``.
    """
    annotation: dict[str, Any] = dict(frame_dir=name)
    if label is not None:
        annotation['label'] = label
    # An array from another process brings a dtype object of its own, which
    # would be pickled anew: the bytes would tell how many workers there were.
    annotation.update(
        total_frames=keypoint.shape[1], keypoint=keypoint.view(np.float32))
    return annotation


class ClipCollector:
    """Collects the clips of a conversion, and why others are left out.

    Args:
        splits (Iterable[str]): Names of the splits, in their order.
            Defaults to (): those of the clips.
        skip_errors (bool): Whether to leave out clips that cannot be read
            rather than to raise. Defaults to False.
        skeleton (str | dict, optional): Name or description of the clips'
            layout. Defaults to None: the annotations do not say.

    Attributes:
        data (dict): ``split``, ``annotations`` and ``skeleton``, if it is
            given.
        skipped (list[tuple[str, str]]): Name and reason of each clip that
            was left out.
        changed (list[tuple[str, str]]): The same of each clip that is there
            in part only.
    """

    def __init__(self,
                 splits: Iterable[str] = (),
                 skip_errors: bool = False,
                 skeleton: Optional[Skeleton] = None) -> None:
        self.split: dict[str, list[str]] = {name: [] for name in splits}
        self.annotations: list[dict[str, Any]] = []
        self.data: dict[str, Any] = dict(
            split=self.split, annotations=self.annotations)
        if skeleton is not None:
            self.data['skeleton'] = skeleton
        self.skip_errors = skip_errors
        self.skipped: list[tuple[str, str]] = []
        self.changed: list[tuple[str, str]] = []
        self._names: set[str] = set()

    def fail(self, name: str, error: ValueError) -> None:
        """Raise ``error``, or leave out the clip it is about."""
        if not self.skip_errors:
            raise error
        self.leave_out(name, str(error))

    def leave_out(self, name: str, reason: str) -> None:
        self.skipped.append((name, reason))

    def add(self,
            name: str,
            keypoint: np.ndarray,
            label: Optional[int],
            splits: Iterable[str],
            changed: str = '',
            score: Optional[np.ndarray] = None,
            img_shape: Optional[tuple[int, int]] = None) -> None:
        """Add a clip without the bodies that are zeros in every frame.

        Args:
            name (str): Its name.
            keypoint (np.ndarray): Float32, shape (M, T, V, C). A clip of
                zeros is left out.
            label (int, optional): Its class, from 0; None if it has none.
            splits (Iterable[str]): The splits it belongs to.
            changed (str): Which part is missing. Defaults to ''.
            score (np.ndarray, optional): Of each joint, float32, (M, T, V).
                Defaults to None: unknown.
            img_shape (tuple[int, int], optional): Height and width of the
                pictures. Defaults to None: the coordinates are no pixels.

        Raises:
            ValueError: If the name was there, or a coordinate is not finite.
        """
        there = keypoint.any(axis=(1, 2, 3))
        keypoint = keypoint[there]
        if not len(keypoint):
            self.leave_out(name, 'no body in any frame')
            return
        if name in self._names:
            raise ValueError(f'clip {name!r} is there twice; names must '
                             'differ')
        if not np.isfinite(keypoint).all():
            return self.fail(name, ValueError(
                f'clip {name!r} has coordinates that are not finite'))
        self._names.add(name)
        if changed:
            self.changed.append((name, changed))
        for split in splits:
            self.split.setdefault(split, []).append(name)
        annotation = make_annotation(name, label, keypoint)
        if score is not None:
            annotation['keypoint_score'] = score[there].view(np.float32)
        if img_shape is not None:
            annotation['img_shape'] = img_shape
        self.annotations.append(annotation)

    def check_any(self, source: str) -> None:
        """Raise ``ValueError`` if none is left of ``source``."""
        if not self.annotations:
            reasons = [line.strip() for line in _reasons(self.skipped)[:1]]
            raise ValueError('; '.join(
                [*reasons, f'no clip is left of {source}']))


def _reasons(left_out: Sequence[tuple[str, str]]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name, reason in left_out:
        reasons.setdefault(reason, []).append(name)
    lines = []
    for reason, names in reasons.items():
        line = f'  {len(names)}: {reason}'
        if names[0] not in reason:  # an error names the file itself
            line += f' ({names[0]}{", ..." if len(names) > 1 else ""})'
        lines.append(line)
    return lines


def summarize(data: dict[str, Any],
              skipped: Sequence[tuple[str, str]] = (),
              changed: Sequence[tuple[str, str]] = ()) -> str:
    """Summarise a set of annotations, and what was left out of it.

    Args:
        data (dict): ``split`` and ``annotations``.
        skipped (Sequence): Name and reason of each clip that was left out.
            Defaults to ().
        changed (Sequence): The same of each clip that is there in part
            only. Defaults to ().

    Returns:
        str: A few lines.
    """
    clips = data['annotations']
    shapes = [clip['keypoint'].shape for clip in clips]
    labels = [clip['label'] for clip in clips if 'label' in clip]
    line = (f'{len(clips)} clips, {len(set(labels))} classes, '
            f'{sum(shape[1] for shape in shapes)} frames, '
            f'{sum(shape[0] for shape in shapes)} bodies')
    if len(labels) < len(clips):
        line += f', {len(clips) - len(labels)} without a label'
    lines = [
        line, ', '.join(f'{len(names)} {split}'
                        for split, names in data['split'].items()),
        f'{len(skipped)} skipped', *_reasons(skipped)
    ]
    if changed:
        lines += [f'{len(changed)} changed', *_reasons(changed)]
    return '\n'.join(lines)
