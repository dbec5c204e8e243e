import sys
from typing import Any

import torch
from mmaction.structures import ActionDataSample
from mmengine import dist
from mmengine.dataset import DefaultSampler
from mmengine.logging import print_log
from mmengine.utils import track_iter_progress
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


@torch.no_grad()
def encode_dataset(model: Any, dataset: Dataset,
                   **loader_cfg: Any) -> tuple[Tensor, list[ActionDataSample]]:
    """Encode every clip of a dataset once, shared out over the ranks.

    Args:
        model (nn.Module): A recognizer with ``data_preprocessor`` and
            ``extract_feat``; used in eval mode.
        dataset (Dataset): Gives ``inputs`` (num_clips, ...) and
            ``data_samples``.
        loader_cfg: ``batch_size``, ``num_workers``, ``collate_fn`` and other
            arguments of torch's ``DataLoader``.

    Returns:
        tuple[Tensor, list[ActionDataSample]]: Features (G, num_clips, F) on
        the model's device and the G data samples, in the dataset's order;
        the same on every rank.

    Raises:
        ValueError: If the dataset is empty.
    """
    num_samples = len(dataset)  # type: ignore[arg-type]
    if not num_samples:
        raise ValueError('there is no clip to encode: the dataset is empty')
    print_log(f'Encoding {num_samples} clips', 'current')
    loader = DataLoader(
        dataset,
        sampler=DefaultSampler(dataset, shuffle=False),
        **loader_cfg)
    # The standard output may be a table that goes on through a pipe.
    batches = (
        track_iter_progress((loader, len(loader)), file=sys.stderr)
        if dist.is_main_process() else loader)
    was_training = model.training
    model.eval()
    features: list[Tensor] = []
    samples: list[ActionDataSample] = []
    for data in batches:
        data = model.data_preprocessor(data, False)
        feature, _ = model.extract_feat(data['inputs'])
        batch_size = len(data['data_samples'])
        features.append(feature.reshape(batch_size, -1, feature.shape[-1]))
        samples.extend(data['data_samples'])
    model.train(was_training)
    # The sampler deals the clips out in turn: interleaving undoes it.
    shares = dist.all_gather(torch.cat(features))
    whole = torch.stack(shares, dim=1).flatten(0, 1)
    dealt = dist.all_gather_object(samples)
    in_order = [sample for turn in zip(*dealt) for sample in turn]
    return whole[:num_samples], in_order[:num_samples]
