from typing import Any

import torch
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...models.utils.encoding import encode_dataset


class FeatureDataset(Dataset):
    """Clips that are encoded already.

    Args:
        features (Tensor): (G, num_clips, F).
        samples (list[ActionDataSample]): G data samples.
    """

    def __init__(self, features: Tensor,
                 samples: list[ActionDataSample]) -> None:
        self.features = features
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict:
        return dict(
            inputs=self.features[index], data_samples=self.samples[index])


@HOOKS.register_module()
class CacheFeaturesHook(Hook):
    """Encode the clips once, before a linear classifier is trained on them.

    With a frozen encoder and a pipeline without chance, every epoch would
    compute the same features again. Training and validation clips go through
    the encoder once, and the loops run on the features; checkpoints hold the
    encoder as ever. Resuming encodes once more. Leave the hook out to encode
    in every epoch.

    Raises:
        ValueError: If the encoder is trained, or the training pipeline is
            random.
    """

    def before_train(self, runner: Runner) -> None:
        """Replace the loops' clips by features, and skip the encoder."""
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        if any(p.requires_grad for p in model.backbone.parameters()):
            raise ValueError('CacheFeaturesHook wants a frozen encoder: set '
                             'model.backbone.frozen=True, or leave out the '
                             'hook to train it')
        loops: list[Any] = [runner.train_loop]
        self._check_pipeline(runner.train_loop.dataloader.dataset)
        if runner.val_loop is not None:
            loops.append(runner.val_loop)
        self._replaced = [(loop, loop.dataloader) for loop in loops]
        for loop, dataloader in self._replaced:
            loop.dataloader = self._encode(model, dataloader)
        self._backbone = model.backbone
        # On the instance, so that the weights stay part of the model.
        self._backbone.forward = lambda feature: feature

    def after_train(self, runner: Runner) -> None:
        """Let the loops and the encoder see clips again."""
        del self._backbone.forward
        for loop, dataloader in self._replaced:
            loop.dataloader = dataloader

    @staticmethod
    def _check_pipeline(dataset: Dataset) -> None:
        first, second = dataset[0]['inputs'], dataset[0]['inputs']
        if not torch.equal(first, second):
            raise ValueError('CacheFeaturesHook wants a pipeline without '
                             'chance, but two runs on the first clip differ: '
                             'leave out the hook, or the augmentation')

    @staticmethod
    def _encode(model: torch.nn.Module, loader: DataLoader) -> DataLoader:
        features, samples = encode_dataset(
            model,
            loader.dataset,
            batch_size=loader.batch_size,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn)
        return DataLoader(
            FeatureDataset(features.cpu(), samples),
            batch_size=loader.batch_size,
            sampler=loader.sampler,
            drop_last=loader.drop_last,
            collate_fn=loader.collate_fn)
