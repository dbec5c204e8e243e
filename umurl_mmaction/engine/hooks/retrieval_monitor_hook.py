import copy
import math
from typing import Any, Optional

import torch
from mmaction.registry import DATASETS, HOOKS
from mmcv.transforms import Compose
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner, ValLoop
from torch.utils.data import Dataset

from ...datasets.collate import pack_collate
from ...datasets.skeleton_dataset import SkeletonDataset
from ...models.utils.encoding import encode_dataset


@HOOKS.register_module()
class RetrievalMonitorHook(Hook):
    """1-nearest-neighbour accuracy while an encoder is pre-trained.

    Gives a run that has none a validation: MMEngine's stock loop over the
    labelled validation split of the training set's annotation file, with the
    training split as gallery. Logged are ``retrieval/fused_top1``, which
    ``save_best='auto'`` goes by, and the accuracy of each modality alone.
    Without labels or such a split it is skipped with one line.

    Args:
        interval (int): Epochs, in a loop by iterations passes over the clips,
            between two validations; 0 for none. Defaults to 10.
        val_split (str, optional): Defaults to the training split's name with
            'val' for 'train'.
    """

    def __init__(self,
                 interval: int = 10,
                 val_split: Optional[str] = None) -> None:
        self.interval = interval
        self.val_split = val_split
        self.loader_cfg: dict = {}
        self.gallery: Optional[Dataset] = None

    def before_train(self, runner: Runner) -> None:
        """Build the validation, unless the config has one."""
        train = runner.train_loop.dataloader
        queries, reason = None, ''
        if runner.val_loop is None and self.interval:
            queries, reason = self._queries(
                runner.cfg.train_dataloader.dataset, train.dataset)
        if queries is None:
            if reason:
                print_log(f'Retrieval is not monitored: {reason}', 'current')
            return
        model = self._model(runner)
        pack = dict(
            type='PackSkeletonInputs',
            num_person=model.data_preprocessor.num_person,
            ragged=True)
        # A copy that shares the arrays with the training set.
        gallery: Any = copy.copy(train.dataset)
        self.gallery = gallery
        gallery.pipeline = queries.pipeline = Compose([pack])
        self.loader_cfg = dict(
            batch_size=train.batch_size, num_workers=train.num_workers)
        loader = dict(
            dataset=queries,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=pack_collate,
            **self.loader_cfg)
        runner._val_loop = ValLoop(
            runner, loader, dict(type='NearestNeighborMetric'))
        interval = self.interval
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            clips = train.batch_size * dist.get_world_size()
            interval *= math.ceil(len(gallery) / clips)
        loop = runner.train_loop
        loop.val_interval = interval
        # From where the loop sets the interval again after each validation.
        loop.dynamic_milestones, loop.dynamic_intervals = [0], [interval]

    def before_val_epoch(self, runner: Runner) -> None:
        """Encode the gallery with the weights of now."""
        if self.gallery is None:
            return
        model = self._model(runner)
        features, samples = encode_dataset(
            model, self.gallery, collate_fn=pack_collate, **self.loader_cfg)
        labels = torch.cat([sample.gt_label for sample in samples])
        model.gallery = (features[:, 0], labels.to(features.device))

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: Optional[dict] = None) -> None:
        """Give the memory back."""
        if self.gallery is not None:
            self._model(runner).gallery = None

    def _queries(self, cfg: Any,
                 train_set: Any) -> tuple[Optional[Any], str]:
        """The validation set, or why there is none."""
        train_split = cfg.get('split') or ''
        split = self.val_split or train_split.replace('train', 'val')
        if split == train_split:
            return None, f'no validation split goes with {split!r}'
        if not isinstance(train_set, SkeletonDataset) or any(
                label is None for _, label in train_set.labels):
            return None, 'not all clips have labels'
        try:
            queries = DATASETS.build(
                dict(cfg, split=split, test_mode=True, label_fraction=1.0))
        except ValueError as error:
            return None, str(error)
        if any(label is None for _, label in queries.labels):
            return None, f'not all clips of {split!r} have labels'
        return queries, ''

    @staticmethod
    def _model(runner: Runner) -> Any:
        model = runner.model
        return model.module if is_model_wrapper(model) else model
