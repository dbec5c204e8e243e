"""Features of a whole dataset to a file, in parts that survive a stop."""
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.utils import ProgressBar
from torch.utils.data import DataLoader, Dataset

from ..fileio.atomic import replacing
from .inferencer import UmURLInferencer


def describe_run(inferencer: UmURLInferencer, checkpoint: Union[str, Path],
                 dataset_cfg: dict, **settings: Any) -> dict[str, Any]:
    """What the features of a run depend on, so that a later one may go on.

    Args:
        inferencer (UmURLInferencer): The encoder.
        checkpoint (str | Path): Its weights.
        dataset_cfg (dict): Config of the dataset.
        settings: Further settings, as JSON has them.

    Returns:
        dict: As JSON has it.
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
        settings=hashlib.sha256(text.encode()).hexdigest(),
        **settings)


def join(arrays: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    """Concatenate the arrays of each name."""
    return {name: np.concatenate(values) for name, values in arrays.items()}


class FeatureExtraction:
    """Encodes a dataset part by part into a folder, and merges the parts.

    Each part is a file that is there as a whole or not at all, with as many
    whole batches as fit; a run that was stopped goes on after the last one,
    and the file at the end has the same bytes as that of a run in one go.

    Args:
        inferencer (UmURLInferencer): The encoder.
        dataset (Dataset): Gives ``inputs`` and ``data_samples``.
        out (Path): File to write (.npz).
        kinds (sequence of str): As in ``UmURLInferencer.extract_features``.
        run (dict): From ``describe_run``; parts of another run are refused.
        part_size (int): Clips of a part. Defaults to 4096.
        num_workers (int): Processes that prepare clips. Defaults to 0.

    Attributes:
        folder (Path): Where the parts are.

    Raises:
        ValueError: If a kind is unknown, the dataset is empty, or the folder
            has parts of another run.
    """

    def __init__(self,
                 inferencer: UmURLInferencer,
                 dataset: Dataset,
                 out: Path,
                 kinds: Sequence[str],
                 run: dict[str, Any],
                 part_size: int = 4096,
                 num_workers: int = 0) -> None:
        inferencer.check_kinds(kinds)
        if not len(dataset):  # type: ignore[arg-type]
            raise ValueError('there is no clip to encode: the dataset is '
                             'empty')
        self.inferencer = inferencer
        self.dataset = dataset
        self.out = out
        self.kinds = tuple(kinds)
        self.num_workers = num_workers
        size = inferencer.batch_size
        part_size = max(part_size // size, 1) * size
        num_clips = len(dataset)  # type: ignore[arg-type]
        indices = range(num_clips)
        self.parts = [
            indices[i:i + part_size] for i in range(0, num_clips, part_size)
        ]
        self.folder = out.with_name(f'{out.name}.parts')
        run = dict(run, kinds=list(kinds), part_size=part_size,
                   clips=num_clips)
        self._claim_folder(json.loads(json.dumps(run)))

    def _claim_folder(self, run: dict[str, Any]) -> None:
        path = self.folder / 'run.json'
        if path.exists():
            other = json.loads(path.read_text())
            for key, value in run.items():
                if other.get(key) != value:
                    raise ValueError(
                        f'{self.folder} has parts of another run: its {key} '
                        f'is {other.get(key)}, that of this run {value}; '
                        'remove the folder to start anew')
            return
        with replacing(path) as part:
            part.write_text(json.dumps(run, indent=2))

    def _path(self, index: int) -> Path:
        return self.folder / f'{index:06d}.npz'

    def missing_parts(self) -> list[int]:
        """Numbers of the parts that are not there yet."""
        return [
            i for i in range(len(self.parts)) if not self._path(i).exists()
        ]

    def run(self) -> dict[str, np.ndarray]:
        """Encode what is missing, and write the file.

        Returns:
            dict[str, np.ndarray]: What the file holds: features (G, F) of
            each kind, ``names`` (G, ) and ``labels`` (G, ), int64, -1 where a
            clip has none; in the dataset's order.
        """
        missing = self.missing_parts()
        size = self.inferencer.batch_size
        batches = [
            list(self.parts[i][start:start + size]) for i in missing
            for start in range(0, len(self.parts[i]), size)
        ]
        loader = iter(
            DataLoader(
                self.dataset,
                batch_sampler=batches,
                num_workers=self.num_workers,
                collate_fn=pseudo_collate))
        bar = ProgressBar(sum(map(len, batches))) if batches else None
        for i in missing:
            arrays: dict[str, list[np.ndarray]] = {}
            for _ in range(0, len(self.parts[i]), size):
                for name, array in self._encode(next(loader)).items():
                    arrays.setdefault(name, []).append(array)
                assert bar is not None
                bar.update(len(array))
            with replacing(self._path(i)) as path:
                np.savez(path, **join(arrays))
        if bar is not None:
            bar.file.write('\n')
        return self._merge()

    def _encode(self, data: dict[str, Any]) -> dict[str, np.ndarray]:
        data = self.inferencer.model.data_preprocessor(data, False)
        features = self.inferencer.encode_batch(data['inputs'], self.kinds)
        samples = data['data_samples']
        return dict(
            {kind: value.cpu().numpy()
             for kind, value in features.items()},
            names=np.array([sample.get('frame_dir', '')
                            for sample in samples]),
            labels=np.array([
                int(sample.gt_label) if 'gt_label' in sample else -1
                for sample in samples
            ]))

    def _merge(self) -> dict[str, np.ndarray]:
        merged: dict[str, Any] = {}
        for name in (*self.kinds, 'names', 'labels'):
            # One at a time: they are large.
            values = []
            for i in range(len(self.parts)):
                with np.load(self._path(i)) as arrays:
                    values.append(arrays[name])
            merged[name] = np.concatenate(values)
        with replacing(self.out) as path:
            np.savez(path, **merged)
        shutil.rmtree(self.folder)
        return merged
