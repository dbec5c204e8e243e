import copy
from collections.abc import Sequence
from typing import Any, Union

import torch
from mmaction.registry import LOOPS
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.runner import Runner, ValLoop
from mmengine.runner.amp import autocast
from torch.utils.data import DataLoader

from ...datasets.collate import pack_collate
from ...datasets.skeleton_dataset import SkeletonDataset
from ...fileio.annotations import MissingSplitError
from ...models.utils.encoding import (
    check_finite,
    encode_dataset,
    extract_features,
    kinds_of,
    names_of,
)
from ...models.utils.retrieval import Gallery, build_gallery
from ..unwrap import bare_model


def _complete(dataset: dict, train: dict) -> dict:
    """Add the settings of the training set that a dataset lacks."""
    while 'dataset' in train:  # a wrapper such as RepeatDataset
        train = train['dataset']
    whole = {**train, **dataset}
    if 'split' not in dataset:
        whole['split'] = (train.get('split') or '').replace('train', 'val')
        if whole['split'] == (train.get('split') or ''):
            raise MissingSplitError('no validation split goes with '
                                    f'{train.get("split")!r}')
    return whole


@LOOPS.register_module()
class NearestNeighborValLoop(ValLoop):
    """Validate an encoder in pre-training by 1-nearest-neighbour retrieval.

    The clips of ``val_dataloader`` are the queries. Those of the training set
    are the gallery, which is encoded for each validation. The evaluator gets
    the retrieved labels of the fused feature and of each modality alone.
    Without labels or without the validation split the loop does nothing, and
    the log says why in one line.

    Args:
        runner (Runner): The runner.
        dataloader (dict | DataLoader): Labelled validation clips, ragged.
            Settings that its dataset lacks, such as ``ann_file``, are those
            of the training set; ``split`` is the training split's name with
            'val' for 'train'.
        evaluator (dict | list | Evaluator): A ``NearestNeighborMetric``.
        standardize (bool): As in ``SkeletonKNN``. Defaults to False.
        fp16 (bool): As in ``ValLoop``. Defaults to False.
    """

    def __init__(self,
                 runner: Runner,
                 dataloader: Union[DataLoader, dict],
                 evaluator: Union[Evaluator, dict, list],
                 standardize: bool = False,
                 fp16: bool = False) -> None:
        self.standardize = standardize
        self._galleries: dict[str, Gallery] = {}
        self._skipped = ''
        try:
            if isinstance(dataloader, dict):
                train = runner.cfg.get('train_dataloader') or {}
                dataset = _complete(dataloader['dataset'],
                                    train.get('dataset', {}))
                dataloader = dict(dataloader, dataset=dataset)
            super().__init__(runner, dataloader, evaluator, fp16)
        except MissingSplitError as error:
            self._skip(str(error))
            return
        datasets: list[Any] = [
            runner.train_dataloader.dataset, self.dataloader.dataset
        ]
        for dataset in datasets:
            if not isinstance(dataset, SkeletonDataset):
                self._skip(f'{type(dataset).__name__} is no SkeletonDataset')
                return
            if any(label is None for _, label in dataset.labels):
                self._skip(f'not all clips of split {dataset.split!r} have '
                           'labels')
                return

    def _skip(self, reason: str) -> None:
        print_log(f'Retrieval is not monitored: {reason}', 'current')
        self._skipped = reason
        # Hooks look at the loader of every loop.
        nothing: Any = []
        self.dataloader = DataLoader(nothing)

    def run(self) -> dict[str, float]:
        """Encode the gallery, retrieve for each query, return the metrics."""
        if self._skipped:
            return {}
        try:
            return super().run()
        finally:
            self._galleries = {}

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Retrieve for batch number ``idx`` of the queries."""
        model = bare_model(self.runner)
        kinds = kinds_of(model.backbone)
        if not self._galleries:
            self._galleries = self._encode_gallery(model, kinds)
        self.runner.call_hook(
            'before_val_iter', batch_idx=idx, data_batch=data_batch)
        data = model.data_preprocessor(data_batch, False)
        with autocast(enabled=self.fp16):
            features = extract_features(model, data['inputs'], kinds)
        for feature in features.values():
            check_finite(feature, names_of(data['data_samples']))
        outputs = self._retrieve(features, data['data_samples'])
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook(
            'after_val_iter',
            batch_idx=idx,
            data_batch=data_batch,
            outputs=outputs)

    def accuracies(self, model: Any) -> dict[str, float]:
        """Evaluate any encoder on the loop's queries, without any hook.

        Args:
            model (nn.Module): Has ``data_preprocessor`` and ``backbone``.

        Returns:
            dict[str, float]: Accuracy of each kind of feature, within 0..1,
            the same on every rank; none if the loop is skipped.
        """
        if self._skipped:
            return {}
        kinds = kinds_of(model.backbone)
        galleries = self._encode_gallery(model, kinds)
        features, samples = self._encode(
            model, self.dataloader.dataset, self.dataloader, kinds)
        truth = torch.cat([sample.gt_label for sample in samples])
        found = {}
        for kind, gallery in galleries.items():
            labels = gallery.nearest_labels(features[kind])
            found[kind] = float((labels.cpu() == truth.cpu()).float().mean())
        return found

    def _encode_gallery(self, model: Any,
                        kinds: Sequence[str]) -> dict[str, Gallery]:
        train = self.runner.train_dataloader
        # A copy that shares the arrays with the training set.
        dataset, queries = copy.copy(train.dataset), self.dataloader.dataset
        dataset.pipeline = queries.pipeline  # type: ignore[attr-defined]
        features, samples = self._encode(model, dataset, train, kinds)
        return {
            kind: build_gallery(feature, samples, self.standardize)
            for kind, feature in features.items()
        }

    def _encode(
        self, model: Any, dataset: Any, loader: DataLoader,
        kinds: Sequence[str]
    ) -> tuple[dict[str, torch.Tensor], list[ActionDataSample]]:
        """Encode a dataset in the batches of a loader."""
        with autocast(enabled=self.fp16):
            return encode_dataset(
                model,
                dataset,
                kinds,
                batch_size=loader.batch_size,
                num_workers=loader.num_workers,
                # That of `PreemptionHook`, which lets workers end in peace.
                worker_init_fn=loader.worker_init_fn,
                collate_fn=pack_collate)

    def _retrieve(
            self, features: dict[str, torch.Tensor],
            samples: list[ActionDataSample]) -> list[ActionDataSample]:
        """Add ``retrieved`` to the samples: a label by kind of feature."""
        found = {
            kind: self._galleries[kind].nearest_labels(feature).tolist()
            for kind, feature in features.items()
        }
        for i, sample in enumerate(samples):
            sample.set_field({kind: labels[i]
                              for kind, labels in found.items()}, 'retrieved')
        return samples
