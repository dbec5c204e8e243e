"""Encoding of clips, with all modalities together or with one alone."""
import time
from collections.abc import Sequence
from typing import Any, Union

import torch
from mmaction.structures import ActionDataSample
from mmengine import dist
from mmengine.dataset import DefaultSampler
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...skeleton.batch import Streams

# The kind of feature that is encoded from all modalities together.
FUSED = 'fused'
# Only an encoding that takes longer says how far it is.
SECONDS_BETWEEN_LINES = 10.


def extract_features(model: Any,
                     inputs: Union[Tensor, Streams],
                     kinds: Sequence[str] = (FUSED, )) -> dict[str, Tensor]:
    """Encode a batch of clips, once for each kind of feature.

    Args:
        model (nn.Module): Its ``backbone`` is a ``SkeletonEncoder``. Any
            backbone can give the fused feature of joints.
        inputs (Tensor | Streams): Joints, or streams by modality, (N,
            num_clips, M, T, V, C) each.
        kinds (sequence of str): ``'fused'`` for all modalities together, or
            the name of one alone. Defaults to ``('fused', )``.

    Returns:
        dict[str, Tensor]: Feature (N, num_clips, F) of each kind.

    Raises:
        ValueError: If a kind is neither ``'fused'`` nor a given modality.
    """
    encoder = model.backbone
    if isinstance(inputs, Tensor):
        shape = inputs.shape[:2]
        joints = inputs.flatten(0, 1)
        if tuple(kinds) == (FUSED, ):
            return {FUSED: encoder(joints).unflatten(0, shape)}
        streams = encoder.streams(joints)
    else:
        shape = next(iter(inputs.values())).shape[:2]
        streams = {name: x.flatten(0, 1) for name, x in inputs.items()}
    views = []
    for kind in kinds:
        if kind != FUSED and kind not in streams:
            raise ValueError(f'the {kind!r} stream was not given, only '
                             f'{", ".join(streams)}')
        views.append(streams if kind == FUSED else {kind: streams[kind]})
    features = encoder.encode_views(views)
    return {
        kind: feature.unflatten(0, shape)
        for kind, feature in zip(kinds, features)
    }


def names_of(samples: Sequence[ActionDataSample]) -> list[str]:
    """List the clips' names; a number stands for a missing one."""
    return [str(x.get('frame_dir', i)) for i, x in enumerate(samples)]


def nonfinite_clips(values: Tensor, names: Sequence[str]) -> list[str]:
    """List the clips of which a value is not finite.

    Args:
        values (Tensor): Features or scores, (N, ...). They are waited for.
        names (sequence of str): Names of the N clips.
    """
    finite = values.isfinite()
    if finite.all():
        return []
    return [name for name, row in zip(names, finite) if not row.all()]


def check_finite(values: Tensor, names: Sequence[str]) -> None:
    """Refuse features that are not finite: no distance to them is.

    Args:
        values (Tensor): Features or scores, (N, ...). They are waited for.
        names (sequence of str): Names of the N clips.

    Raises:
        ValueError: The message names a clip, or says that it is all of them.
    """
    bad = nonfinite_clips(values, names)
    if not bad:
        return
    reason = ('its coordinates are to be looked at'
              if len(bad) < len(names) or len(names) == 1 else
              'the weights are to be looked at, or the precision')
    raise ValueError(f'the feature of clip {bad[0]!r} is not finite '
                     f'({len(bad)} of {len(names)} clips): {reason}')


def kinds_of(encoder: Any) -> list[str]:
    """List the kinds of feature that an encoder gives.

    With one modality, there is only the fused kind.
    """
    modalities = getattr(encoder, 'modalities', ())
    return [FUSED, *modalities] if len(modalities) > 1 else [FUSED]


@torch.no_grad()
def encode_dataset(
    model: Any,
    dataset: Dataset,
    kinds: Sequence[str] = (FUSED, ),
    **loader_cfg: Any
) -> tuple[dict[str, Tensor], list[ActionDataSample]]:
    """Encode every clip of a dataset once, split over the ranks.

    Args:
        model (nn.Module): Has ``data_preprocessor`` and ``backbone``; used in
            eval mode.
        dataset (Dataset): Its samples hold ``inputs`` (num_clips, ...) and
            ``data_samples``.
        kinds (sequence of str): As in :func:`extract_features`.
        loader_cfg: ``batch_size``, ``num_workers``, ``collate_fn`` and other
            arguments of torch's ``DataLoader``.

    Returns:
        tuple[dict[str, Tensor], list[ActionDataSample]]: Features (G,
        num_clips, F) of each kind on the model's device and the G data
        samples, in the dataset's order; the same on every rank.

    Raises:
        ValueError: If the dataset is empty, or a feature is not finite.
    """
    num_samples = len(dataset)  # type: ignore[arg-type]
    if not num_samples:
        raise ValueError('there is no clip to encode: the dataset is empty')
    print_log(f'Encoding {num_samples} clips', 'current')
    loader = DataLoader(
        dataset,
        sampler=DefaultSampler(dataset, shuffle=False),
        **loader_cfg)
    was_training = model.training
    model.eval()
    features: dict[str, list[Tensor]] = {kind: [] for kind in kinds}
    samples: list[ActionDataSample] = []
    said = time.monotonic()
    for data in loader:
        # Those of the preprocessor are on the device of this rank.
        samples.extend(data['data_samples'])
        data = model.data_preprocessor(data, False)
        encoded = extract_features(model, data['inputs'], kinds)
        for kind, feature in encoded.items():
            features[kind].append(feature)
        if time.monotonic() - said >= SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            done = min(len(samples) * dist.get_world_size(), num_samples)
            print_log(f'Encoded {done} of {num_samples} clips', 'current')
    model.train(was_training)
    whole = {}
    for kind, batch_features in features.items():
        # Rank r of n has the clips r, r + n, r + 2n and so on.
        shards = dist.all_gather(torch.cat(batch_features))
        whole[kind] = torch.stack(shards, dim=1).flatten(0, 1)[:num_samples]
    sample_shards = dist.all_gather_object(samples)
    in_order = [sample for turn in zip(*sample_shards) for sample in turn]
    in_order = in_order[:num_samples]
    for feature in whole.values():
        check_finite(feature, names_of(in_order))
    return whole, in_order
