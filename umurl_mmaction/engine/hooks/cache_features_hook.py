from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...models.utils.encoding import FUSED, encode_dataset
from ..unwrap import bare_model

# A pipeline that changes half of the clips passes once in 2**24 times.
CLIPS, RUNS = 8, 4


class _Features(list):
    """The features of a dataset, and its ``metainfo``."""


@HOOKS.register_module()
class CacheFeaturesHook(Hook):
    """Encode the clips once, before a linear classifier is trained on them.

    A frozen encoder computes the same features in every epoch if the pipeline
    is deterministic. Training and validation clips go through the encoder
    once, and the loops run on the features. Checkpoints still hold the
    encoder. A resumed run encodes once more.

    Raises:
        ValueError: If the encoder is trained, or the training pipeline is
            random.
    """

    def before_train(self, runner: Runner) -> None:
        """Replace the loops' clips by features."""
        model = bare_model(runner)
        if any(p.requires_grad for p in model.backbone.parameters()):
            raise ValueError('CacheFeaturesHook wants a frozen encoder: set '
                             'model.backbone.frozen=True, or leave out the '
                             'hook to train it')
        self._check_pipeline(runner.train_dataloader.dataset)
        loops: list[Any] = [runner.train_loop]
        if runner.val_loop is not None:
            loops.append(runner.val_loop)
        self._replaced = [(loop, loop.dataloader) for loop in loops]
        for loop, dataloader in self._replaced:
            loop.dataloader = self._encode(model, dataloader)
        model.backbone.takes_features = True

    def after_train(self, runner: Runner) -> None:
        """Give the clips back to the loops and the encoder."""
        bare_model(runner).backbone.takes_features = False
        for loop, dataloader in self._replaced:
            loop.dataloader = dataloader

    @staticmethod
    def _check_pipeline(dataset: Any) -> None:
        """Compare runs on a few clips, the longest, which a crop shortens."""
        frames = [x[1] for x in getattr(dataset, 'shapes', ())]
        order = sorted(range(len(frames)), key=lambda i: -frames[i])
        for i in order[:CLIPS] or range(min(CLIPS, len(dataset))):
            first, *others = (dataset[i]['inputs'] for _ in range(RUNS))
            if not all(torch.equal(first, other) for other in others):
                raise ValueError(
                    'CacheFeaturesHook wants a deterministic pipeline, but '
                    f'two runs on clip {i} differ: leave out the hook, or the '
                    'augmentation')

    @staticmethod
    def _encode(model: torch.nn.Module, loader: DataLoader) -> DataLoader:
        encoded, samples = encode_dataset(
            model,
            loader.dataset,
            batch_size=loader.batch_size,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn)
        dataset: Any = _Features(
            dict(inputs=feature, data_samples=sample)
            for feature, sample in zip(encoded[FUSED].cpu(), samples))
        # Checkpoints hold what the data say of themselves.
        dataset.metainfo = getattr(loader.dataset, 'metainfo', {})
        return DataLoader(
            dataset,
            batch_size=loader.batch_size,
            sampler=loader.sampler,
            drop_last=loader.drop_last,
            collate_fn=loader.collate_fn)
