"""Features of a checkpoint, to be drawn."""
import copy
from collections.abc import Sequence
from typing import Any, Optional

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.runner import load_checkpoint
from torch import Tensor
from torch.nn import functional as F

from ..models.utils.encoding import encode_dataset


def load_encoder(cfg: Config,
                 checkpoint: str,
                 modalities: Optional[Sequence[str]] = None) -> Any:
    """A config's recognizer with the weights of a checkpoint.

    Args:
        cfg (Config): For retrieval, linear evaluation or fine-tuning.
        checkpoint (str): The file.
        modalities (sequence of str, optional): Those to encode from.
            Defaults to None: the config's.

    Returns:
        nn.Module: The recognizer, on the device that there is.

    Raises:
        ValueError: If the config is for something else.
    """
    model_cfg = copy.deepcopy(cfg.model)
    if modalities is not None:
        model_cfg.backbone.modalities = tuple(modalities)
    model = MODELS.build(model_cfg)
    if not isinstance(model, RecognizerGCN):
        raise ValueError(f'{type(model).__name__} gives no features of clips; '
                         'wanted is a config for retrieval or linear '
                         'evaluation')
    # The weights of the other modalities need not be mentioned.
    load_checkpoint(
        model,
        checkpoint,
        map_location='cpu',
        logger=None if modalities is None else 'silent')
    return model.to(get_device())


def build_dataset(cfg: Config, loader: str) -> Any:
    """The dataset of a config's dataloader.

    Raises:
        ValueError: If there is no such dataloader.
    """
    if loader not in cfg:
        known = [key for key in cfg if str(key).endswith('_dataloader')]
        raise ValueError(f'the config has no {loader!r}, only {known}')
    return DATASETS.build(cfg[loader].dataset)


def unit_features(model: Any, dataset: Any, loader: dict) -> Tensor:
    """The features that retrieval compares.

    Args:
        model (nn.Module): A recognizer.
        dataset (Dataset): Packed clips.
        loader (dict): Config of a dataloader, for the size of the batches.

    Returns:
        Tensor: Of length 1, (G, F), float32, on the CPU.
    """
    features, _ = encode_dataset(
        model,
        dataset,
        batch_size=loader['batch_size'],
        num_workers=loader.get('num_workers', 0),
        collate_fn=pseudo_collate)
    return F.normalize(features.mean(dim=1).float(), dim=1).cpu()


def modality_features(cfg: Config, checkpoint: str, dataset: Any,
                      loader: dict) -> dict[str, Tensor]:
    """Features of all modalities together and of each alone.

    Args:
        cfg (Config): For retrieval or linear evaluation.
        checkpoint (str): The file.
        dataset (Dataset): Packed clips.
        loader (dict): Config of a dataloader, for the size of the batches.

    Returns:
        dict[str, Tensor]: ``'fused'`` and the modalities' names -> (G, F).
    """
    modalities = tuple(cfg.model.backbone.get('modalities', ()))
    chosen: dict[str, Optional[tuple[str, ...]]] = dict(fused=None)
    if len(modalities) > 1:
        chosen.update({name: (name, ) for name in modalities})
    return {
        name: unit_features(
            load_encoder(cfg, checkpoint, only), dataset, loader)
        for name, only in chosen.items()
    }


def choose_clips(labels: Sequence[Optional[int]], classes: Sequence[int],
                 per_class: int, seed: int) -> list[int]:
    """Draw clips of some classes.

    Args:
        labels (sequence of int): Of all clips.
        classes (sequence of int): Those wanted.
        per_class (int): Clips of each, at most.
        seed (int): Fixes the draw.

    Returns:
        list[int]: Indices, ascending.

    Raises:
        ValueError: If a class has no clip.
    """
    chosen: list[int] = []
    for label in classes:
        members = [i for i, known in enumerate(labels) if known == label]
        if not members:
            raise ValueError(f'no clip is of class {label}')
        # A generator a class: other classes do not change the draw.
        generator = torch.Generator().manual_seed(seed + label)
        order = torch.randperm(len(members), generator=generator)
        chosen += [members[i] for i in order[:per_class].tolist()]
    return sorted(chosen)
