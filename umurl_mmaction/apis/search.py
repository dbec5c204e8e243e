"""Search of a motion in the windows of long recordings."""
import json
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union
from zipfile import BadZipFile

import numpy as np
import torch

from ..fileio.npz import PlainNpz
from .inferencer import UmURLInferencer
from .windows import Window

# Bytes of features in float32 that are compared at once: they stay in a cache.
CHUNK = 2 << 20


class Moment(NamedTuple):
    """A window that is like a query.

    Args:
        window (Window): Its recording and frames.
        cosine (float): The similarity.
        row (int): Its row of the file.
    """
    window: Window
    cosine: float
    row: int


class MotionSearch:
    """Finds the moments of recordings that are most like a query.

    The search is exact: it compares a query with every window. The features
    stay on the disk, mapped into memory.

    Args:
        path (str | Path): File of ``tools/extract_features.py --window``.
        kind (str): Its features to compare. Defaults to ``'fused'``.

    Attributes:
        features (np.ndarray): (G, F), float32 or float16, mapped.
        frames (np.ndarray): First frame, and that after the last, of each
            window, (G, 2), int64.
        rows (dict[str, slice]): Rows of each recording, by name.
        about (dict): What the features depend on, as the file says:
            ``ann_file``, ``split``, ``window``, ``stride`` and more.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no file of windows, or lacks the features.

    Examples:
        >>> search = MotionSearch('windows.npz')
        >>> query = inferencer.extract_features(clip)['fused'][0]
        >>> for moment in search.find(search.cosines(query)):
        ...     print(moment.window, moment.cosine)
    """

    def __init__(self, path: Union[str, Path], kind: str = 'fused') -> None:
        self.path = Path(path)
        self.kind = kind
        try:
            with PlainNpz(path) as arrays:
                missing = {'names', 'frames', 'about', kind}.difference(arrays)
                if missing:
                    raise ValueError(
                        f'it has no {min(missing)!r}, only '
                        f'{", ".join(arrays) or "nothing"}')
                self.features = arrays.map(kind)
                self.frames = arrays['frames']
                names = arrays.map('names')
                self.about: dict[str, Any] = json.loads(str(arrays['about']))
                if type(self.about) is not dict:
                    raise ValueError('its about is no JSON object')
        # JSON that nests too deeply ends in the last one.
        except (BadZipFile, ValueError, RecursionError) as error:
            raise ValueError(
                f'{path}: {error}; wanted is a file of '
                'tools/extract_features.py --window') from None
        G = len(names)
        if self.features.ndim != 2 or self.features.dtype.kind != 'f' or (
                self.frames.shape != (G, 2) or len(self.features) != G
                or names.ndim != 1 or not G):
            raise ValueError(
                f'{path}: {kind} {self.features.shape}, frames '
                f'{self.frames.shape} and names {names.shape} are no windows')
        first, stop = self.frames.T
        if self.frames.dtype.kind not in 'iu' or (
                (first < 0) | (stop <= first)).any():
            raise ValueError(f'{path}: its frames are no windows: wanted are '
                             'integers from 0, the second above the first')
        self.rows = _rows_of(names, path)

    @property
    def num_frames(self) -> int:
        """Frames of all recordings together."""
        return sum(
            int(self.frames[rows, 1].max()) for rows in self.rows.values())

    def check_encoder(self, inferencer: UmURLInferencer) -> None:
        """Raise ``ValueError`` if the file is of another encoder."""
        if self.about.get('encoder') != inferencer.fingerprint:
            raise ValueError(
                f'{self.path} has features of another model or preparation, '
                f'of {self.about.get("checkpoint")}: extract them anew with '
                'this config and checkpoint')

    def window(self, row: int) -> Window:
        """Name the window of a row."""
        name = next(
            name for name, rows in self.rows.items() if row < rows.stop)
        return Window(name, *map(int, self.frames[row]))

    def cosines(self, queries: np.ndarray) -> np.ndarray:
        """Compare queries with all windows.

        Args:
            queries (np.ndarray): Features, (F, ) or (Q, F).

        Returns:
            np.ndarray: Cosines, (G, ) or (Q, G), float32.

        Raises:
            ValueError: If F differs, or a feature is not finite.
        """
        query = np.asarray(queries, np.float32)
        if query.shape[-1:] != self.features.shape[1:] or query.ndim > 2:
            raise ValueError(
                f'queries {query.shape} do not fit {self.path}, whose '
                f'features are {self.features.shape}')
        query = query / np.linalg.norm(query, axis=-1, keepdims=True)
        G, F = self.features.shape
        found = np.empty((*query.shape[:-1], G), np.float32)
        size = max(CHUNK // (4 * F), 1)
        # Arrays in a zip are not aligned, which this copy mends.
        aligned = np.empty((size, F), self.features.dtype.newbyteorder('='))
        wide = torch.empty(size, F)
        for start in range(0, G, size):
            num = min(size, G - start)
            np.copyto(aligned[:num], self.features[start:start + num])
            # NumPy takes four times as long to widen half precision.
            wide[:num].copy_(torch.from_numpy(aligned[:num]))
            rows = wide[:num].numpy()
            lengths = np.sqrt(np.einsum('ij,ij->i', rows, rows))
            # Only a feature of zeros has no length, and is like nothing.
            found[..., start:start + size] = (
                query @ rows.T / np.maximum(lengths, 1e-12))
        if not np.isfinite(found).all():
            row = int(np.argwhere(~np.isfinite(found))[0][-1])
            raise ValueError(f'the query or {self.window(row)} of {self.path} '
                             'has a feature that is not finite')
        return found

    def find(self,
             cosines: np.ndarray,
             num_moments: int = 5,
             exclude: Optional[Window] = None) -> list[Moment]:
        """Find the moments that are most like a query.

        Windows that overlap one moment are merged into it: the most similar
        one stands for all.

        Args:
            cosines (np.ndarray): Of a query and all windows, (G, ).
            num_moments (int): Moments K to find. Defaults to 5.
            exclude (Window, optional): Frames that are no answer, such as
                those of the query.

        Returns:
            list[Moment]: K moments, or as many as there are, the most similar
            first. No two share a frame.

        Raises:
            ValueError: If K is below 1.
        """
        if num_moments < 1:
            raise ValueError(f'num_moments must be at least 1, got '
                             f'{num_moments}')
        left = np.array(cosines, np.float32)
        if exclude is not None:
            self._drop(left, exclude)
        moments: list[Moment] = []
        while len(moments) < num_moments:
            row = int(left.argmax())
            if left[row] == -np.inf:
                break
            moment = Moment(self.window(row), float(left[row]), row)
            moments.append(moment)
            self._drop(left, moment.window)
        return moments

    def _drop(self, cosines: np.ndarray, window: Window) -> None:
        """Set the cosines of the windows that overlap one to -inf."""
        rows = self.rows.get(window.recording, slice(0))
        first, stop = self.frames[rows].T
        cosines[rows][(first < window.stop) & (stop > window.start)] = -np.inf


def _rows_of(names: np.ndarray, path: Union[str, Path]) -> dict[str, slice]:
    """Find the rows of each name; equal names stand together."""
    starts = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1), len(names)]
    rows: dict[str, slice] = {}
    for start, stop in zip(starts, starts[1:]):
        name = str(names[start])
        if name in rows:
            raise ValueError(f'{path}: the windows of {name!r} do not stand '
                             'together')
        rows[name] = slice(int(start), int(stop))
    return rows
