"""Features of a whole dataset in a file, chunk by chunk."""
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
from mmaction.structures import ActionDataSample
from torch.utils.data import Dataset, Subset

from ..fileio.atomic import replacing
from ..fileio.npz import PlainNpz, save_joined
from .inferencer import UmURLInferencer

DTYPES = ('float32', 'float16')


def describe_run(inferencer: UmURLInferencer, checkpoint: Union[str, Path],
                 dataset_cfg: dict) -> dict[str, Any]:
    """Describe everything that the features of a run depend on.

    Args:
        inferencer (UmURLInferencer): The encoder.
        checkpoint (str | Path): Its weights.
        dataset_cfg (dict): Config of the dataset.

    Returns:
        dict: JSON values; two runs with equal features have equal ones.
    """
    files = {}
    for path in (Path(checkpoint), Path(dataset_cfg['ann_file'])):
        if path.is_file():
            stat = path.stat()
            files[str(path)] = [stat.st_size, stat.st_mtime_ns]
    configs = [
        inferencer.cfg.model.to_dict(), dataset_cfg, inferencer.precision,
        inferencer.batch_size
    ]
    text = json.dumps(configs, default=str, sort_keys=True)
    return dict(
        checkpoint=str(checkpoint),
        ann_file=str(dataset_cfg['ann_file']),
        split=dataset_cfg.get('split'),
        files=files,
        settings=hashlib.sha256(text.encode()).hexdigest())


class FeatureExtraction:
    """Encodes a dataset chunk by chunk into a folder, and merges the chunks.

    Each chunk is a number of whole batches in one file, which is written as a
    whole. A run that was stopped continues after its last chunk, and writes
    the same bytes as an uninterrupted run.

    Args:
        inferencer (UmURLInferencer): The encoder.
        dataset (Dataset): Gives ``inputs`` and ``data_samples``.
        out (Path): File to write (.npz).
        kinds (sequence of str): As in ``UmURLInferencer.extract_features``.
        run (dict): From ``describe_run``; chunks of another run are refused.
        chunk_size (int): Clips of a chunk. Defaults to 4096.
        num_workers (int): Processes that prepare clips. Defaults to 0.
        dtype (str): Of the features, ``'float32'`` or ``'float16'``. Defaults
            to ``'float32'``.

    Attributes:
        about (dict): What the features depend on.
        folder (Path): The folder of the chunks.
        chunks (list[range]): Indices of the clips of each chunk.

    Raises:
        ValueError: If a kind is unknown, the dataset is empty, or the folder
            has chunks of another run, or ``dtype`` is unknown.
    """

    def __init__(self,
                 inferencer: UmURLInferencer,
                 dataset: Dataset,
                 out: Path,
                 kinds: Sequence[str],
                 run: dict[str, Any],
                 chunk_size: int = 4096,
                 num_workers: int = 0,
                 dtype: str = 'float32') -> None:
        inferencer.check_kinds(kinds)
        if dtype not in DTYPES:
            raise ValueError(f'dtype={dtype!r} must be one of '
                             f'{", ".join(DTYPES)}')
        num_clips = len(dataset)  # type: ignore[arg-type]
        if not num_clips:
            raise ValueError('there is no clip to encode: the dataset is '
                             'empty')
        self.inferencer = inferencer
        self.dataset = dataset
        self.out = out
        self.kinds = tuple(kinds)
        self.num_workers = num_workers
        self.dtype = np.dtype(dtype)
        size = inferencer.batch_size
        chunk_size = max(chunk_size // size, 1) * size
        indices = range(num_clips)
        self.chunks = [
            indices[i:i + chunk_size] for i in range(0, num_clips, chunk_size)
        ]
        self.folder = out.with_name(f'{out.name}.parts')
        self.about = json.loads(
            json.dumps(
                dict(
                    run,
                    kinds=list(kinds),
                    part_size=chunk_size,
                    clips=num_clips,
                    dtype=dtype,
                    encoder=inferencer.fingerprint)))
        self._claim_folder(self.about)

    def _claim_folder(self, run: dict[str, Any]) -> None:
        path = self.folder / 'run.json'
        if path.exists():
            try:
                other = json.loads(path.read_bytes())
            except ValueError:
                other = None
            if not isinstance(other, dict):
                raise ValueError(f'{path} is no description of a run; remove '
                                 f'{self.folder} to start anew')
            for key, value in run.items():
                if other.get(key) != value:
                    raise ValueError(
                        f'{self.folder} has parts of another run: its {key} '
                        f'is {other.get(key)}, that of this run {value}; '
                        'remove the folder to start anew')
            return
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(run, indent=2))

    def _path(self, index: int) -> Path:
        return self.folder / f'{index:06d}.npz'

    def missing_chunks(self) -> list[int]:
        """Return the numbers of the chunks that have no file yet."""
        return [
            i for i in range(len(self.chunks)) if not self._path(i).exists()
        ]

    def run(self) -> dict[str, np.ndarray]:
        """Encode the missing chunks, and write the file.

        Returns:
            dict[str, np.ndarray]: The arrays of the file, mapped into memory,
            in the dataset's order: features (G, F) of each kind; ``names``
            (G, ); ``labels`` (G, ), int64, -1 for a clip without one. Windows
            have the names of their recordings, and ``frames`` (G, 2), int64:
            the first one and that after the last. ``about`` is JSON that says
            what the features depend on.
        """
        for i in self.missing_chunks():
            features, samples = self.inferencer.encode_dataset(
                Subset(self.dataset, self.chunks[i]), self.kinds,
                self.num_workers)
            arrays: dict[str, Any] = {
                kind: value.astype(self.dtype, copy=False)
                for kind, value in features.items()
            }
            for kind, value in arrays.items():
                if not np.isfinite(value).all():
                    raise ValueError(f'a {kind!r} feature is too large for '
                                     f'{self.dtype}; wanted is float32')
            arrays.update(_describe(samples))
            with replacing(self._path(i)) as temporary:
                np.savez(temporary, **arrays)
        return self._merge()

    def _merge(self) -> dict[str, np.ndarray]:
        with replacing(self.out) as temporary:
            try:
                save_joined(
                    temporary,
                    [self._path(i) for i in range(len(self.chunks))],
                    dict(about=np.array(json.dumps(self.about))))
            except ValueError as error:
                raise ValueError(f'{error}; wanted is a part of features: '
                                 'remove it, and run this again') from None
        shutil.rmtree(self.folder)
        with PlainNpz(self.out) as arrays:
            return {name: arrays.map(name) for name in arrays}


def _describe(samples: Sequence[ActionDataSample]) -> dict[str, np.ndarray]:
    """Make the columns of a file that stand beside the features."""
    names = [sample.get('frame_dir', '') for sample in samples]
    columns = {}
    if 'window' in samples[0]:
        windows = [sample.window for sample in samples]
        names = [window.recording for window in windows]
        columns['frames'] = np.array([window[1:] for window in windows])
    labels = [
        int(sample.gt_label) if 'gt_label' in sample else -1
        for sample in samples
    ]
    return dict(names=np.array(names), labels=np.array(labels), **columns)
