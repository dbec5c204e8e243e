"""A trained encoder for recorded clips."""
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.utils import ProgressBar
from torch import Tensor
from torch.utils.data import Dataset

from ..models.recognizers import SkeletonKNN
from ..models.utils.encoding import (
    FUSED,
    check_finite,
    encode_dataset,
    extract_features,
    kinds_of,
    names_of,
)
from ..progress import bar_file
from ..skeleton.batch import Streams
from .clips import (
    Clip,
    ClipPipeline,
    Clips,
    make_results,
    split_clips,
    split_streams,
)
from .loading import load_config, load_model
from .windows import WindowDataset

PRECISIONS = dict(fp32=None, bf16=torch.bfloat16, fp16=torch.float16)


class UmURLInferencer:
    """A trained encoder for recorded clips.

    The config's test pipeline prepares the clips, so that the results equal
    those of MMEngine's test loop.

    Args:
        config (str | Path | Config): A linear, fine-tuning or retrieval
            config: path, base name (``'umurl-knn_synthetic.py'``),
            ``'umurl_mmaction::...'``, or a ``Config``.
        checkpoint (str | Path): Path or URL of its weights, of ours or of
            the paper's code.
        device (str, optional): Such as ``'cuda:0'``. Defaults to the best
            available device.
        precision (str): Precision of the encoder: ``'fp32'``, or by autocast
            ``'bf16'`` or ``'fp16'``. Defaults to ``'fp32'``.
        batch_size (int): Clips that are encoded together. Defaults to 64.
        num_nearest (int, optional): Clips of the gallery to name. Defaults
            to the number that votes, ``num_neighbors`` of the config.
        show_progress (bool): Show a bar if stderr is a terminal. Defaults to
            False.
        cfg_options (dict, optional): Settings of the config to change, by
            dotted key, such as ``model.gallery.dataset.ann_file``.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If the config cannot be used on clips, the checkpoint
            does not fit, or a setting above is out of its range.

    Examples:
        >>> inferencer = UmURLInferencer('umurl-knn_synthetic.py',
        ...                              'epoch_30.pth')
        >>> result = inferencer([first, second])  # arrays (M, T, V, C)
        >>> result['features'].shape
        (2, 256)
    """

    def __init__(self,
                 config: Union[str, Path, Config],
                 checkpoint: Union[str, Path],
                 device: Optional[str] = None,
                 precision: str = 'fp32',
                 batch_size: int = 64,
                 num_nearest: Optional[int] = None,
                 show_progress: bool = False,
                 cfg_options: Optional[Mapping[str, Any]] = None) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f'precision={precision!r} must be one of '
                             f'{", ".join(PRECISIONS)}')
        if batch_size < 1 or (num_nearest is not None and num_nearest < 1):
            raise ValueError(f'batch_size={batch_size} and num_nearest='
                             f'{num_nearest} must be at least 1')
        self.cfg = load_config(config, cfg_options)
        if not isinstance(self.cfg.get('test_dataloader'), dict):
            raise ValueError(
                f'config {self.cfg.filename or "given"} has no test pipeline: '
                'to use a pre-trained encoder, take the checkpoint with a '
                'retrieval config (umurl-knn_..., or NAME_retrieve.py of '
                '`python -m umurl_mmaction start`)')
        self.model = load_model(self.cfg, checkpoint, device)
        dataset = self.cfg.test_dataloader.dataset
        self.pipeline = ClipPipeline(dataset, self.model.backbone.layout)
        self.nonfinite = dataset.get('nonfinite', 'error')
        self.precision = precision
        self.batch_size = batch_size
        self.num_nearest = num_nearest
        self.show_progress = show_progress

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return next(self.model.parameters()).device

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by label, as the data have them, or ().

        A classifier's are in its checkpoint, a gallery's in its file.
        """
        if isinstance(self.model, SkeletonKNN):
            return self.model.encoded_gallery.classes
        return tuple(self.model.dataset_meta.get('classes') or ())

    @property
    def kinds(self) -> list[str]:
        """The kinds of features: ``'fused'``, and modalities if several."""
        return kinds_of(self.model.backbone)

    def __call__(self, clips: Clips) -> dict[str, np.ndarray]:
        """Encode clips, and classify them if the model can.

        Args:
            clips (np.ndarray | Tensor | dict | sequence): N clips in any of
                these forms:

                - arrays (M, T, V, C), in a list, or one array;
                - annotations of MMAction2, with such a ``keypoint``, in a
                  list, or one of them;
                - an array (N, M, T, V, C) of clips of one length;
                - prepared streams of some modalities by name, each
                  ([N, ]M, clip_len, V, C).

        Returns:
            dict[str, np.ndarray]: ``features`` (N, F), float32. A classifier
            or a gallery adds ``scores`` (N, num_classes), float32, and
            ``labels`` (N, ), int64. A gallery adds its K nearest clips, the
            nearest first: ``nearest_indices`` (N, K), int64, in the order of
            its dataset, ``nearest_names`` (N, K), ``nearest_labels`` (N, K),
            int64, and ``similarities`` (N, K), float32, the cosines. One in
            which a clip has no label adds no label and no score.

        Raises:
            ValueError: If something else is given, a clip does not fit the
                model, or its feature is not finite.
        """
        found: dict[str, list[np.ndarray]] = {}
        for data in self._batches(clips):
            for name, value in self._predict(data).items():
                found.setdefault(name, []).append(value)
        return {name: np.concatenate(values) for name, values in found.items()}

    def iter_windows(self,
                     recordings: Clips,
                     window: int,
                     stride: int) -> Iterator[dict[str, Any]]:
        """Encode the windows of long recordings, batch by batch.

        A window gives what its frames give as a clip: it is normalised on its
        own.

        Args:
            recordings (np.ndarray | Tensor | dict | sequence): Arrays (M, T,
                V, C) or annotations, as for a call.
            window (int): Frames of a window. A shorter recording is one
                window.
            stride (int): Frames from one start to the next. The last window
                ends with the recording.

        Yields:
            dict: For each window, by recording and in order: ``window``, a
            :class:`Window` of ``recording``, ``start`` and ``stop``, and its
            row of each array that a call returns, such as ``features`` (F, ).

        Raises:
            ValueError: If window or stride is below 1, or as for a call.
        """
        dataset = WindowDataset(
            split_clips(recordings), self.pipeline, window, stride,
            self.nonfinite)
        for start in range(0, len(dataset), self.batch_size):
            stop = min(start + self.batch_size, len(dataset))
            batch = [dataset[i] for i in range(start, stop)]
            found = self._predict(
                self.model.data_preprocessor(pseudo_collate(batch), False))
            for i, each in enumerate(dataset.windows[start:stop]):
                yield dict(
                    window=each,
                    **{name: value[i] for name, value in found.items()})

    def _predict(self, data: dict[str, Any]) -> dict[str, np.ndarray]:
        """Encode and classify a batch of the preprocessor, as for a call."""
        feature = self._encode(data)[FUSED]
        found = dict(features=feature.mean(dim=1), **self._judge(feature))
        results = {name: value.cpu().numpy() for name, value in found.items()}
        if 'nearest_indices' in results:
            names = np.array(self.model.encoded_gallery.names)
            results['nearest_names'] = names[results['nearest_indices']]
        return results

    @property
    def fingerprint(self) -> str:
        """What decides a feature, as a hash: weights and preparation.

        Features of encoders with one fingerprint can be compared.
        """
        digest = hashlib.sha256()
        dataset = self.cfg.test_dataloader.dataset.to_dict()
        steps = [dataset.get('prepare'), dataset['pipeline'], self.nonfinite,
                 list(self.model.backbone.modalities)]
        digest.update(json.dumps(steps, default=str).encode())
        for name, value in sorted(self.model.backbone.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def extract_features(
            self,
            clips: Clips,
            kinds: Sequence[str] = (FUSED, )) -> dict[str, np.ndarray]:
        """Encode clips without classifying them.

        Args:
            clips (np.ndarray | Tensor | dict | sequence): As for a call.
            kinds (sequence of str): ``'fused'`` for all modalities together,
                or the name of one alone. Defaults to ``('fused', )``.

        Returns:
            dict[str, np.ndarray]: Features (N, F), float32, of each kind.

        Raises:
            ValueError: If a kind is unknown, or the clips are not right.
        """
        self.check_kinds(kinds)
        batches = [
            self._encode(data, kinds) for data in self._batches(clips)
        ]
        return {
            kind: torch.cat([batch[kind] for batch in batches
                             ]).mean(dim=1).cpu().numpy()
            for kind in kinds
        }

    def encode_dataset(
        self,
        dataset: Dataset,
        kinds: Sequence[str] = (FUSED, ),
        num_workers: int = 0
    ) -> tuple[dict[str, np.ndarray], list[ActionDataSample]]:
        """Encode all clips of a dataset; the log tells how far it is.

        Args:
            dataset (Dataset): Gives ``inputs`` and ``data_samples``, as the
                datasets of the config do.
            kinds (sequence of str): As in :meth:`extract_features`.
            num_workers (int): Processes that prepare clips. Defaults to 0:
                this one.

        Returns:
            tuple[dict[str, np.ndarray], list[ActionDataSample]]: Features
            (G, F), float32, of each kind, and the G data samples, in the
            dataset's order.

        Raises:
            ValueError: If a kind is unknown, or the dataset is empty.
        """
        self.check_kinds(kinds)
        with self._autocast():
            features, samples = encode_dataset(
                self.model,
                dataset,
                kinds,
                batch_size=self.batch_size,
                num_workers=num_workers,
                collate_fn=pseudo_collate)
        return {
            kind: value.float().mean(dim=1).cpu().numpy()
            for kind, value in features.items()
        }, samples

    def check_kinds(self, kinds: Sequence[str]) -> None:
        """Raise ``ValueError`` if the model lacks one of these kinds."""
        known = [FUSED, *self.model.backbone.modalities]
        for kind in kinds:
            if kind not in known:
                raise ValueError(f'this model has no {kind!r} feature, only '
                                 f'{", ".join(known)}')

    @contextmanager
    def _autocast(self) -> Iterator[None]:
        dtype = PRECISIONS[self.precision]
        with torch.no_grad(), torch.autocast(
                self.device.type, dtype=dtype, enabled=dtype is not None):
            yield

    def _encode(self,
                data: dict[str, Any],
                kinds: Sequence[str] = (FUSED, )) -> dict[str, Tensor]:
        """Encode a batch of the preprocessor: (N, num_clips, F), float32."""
        with self._autocast():
            features = extract_features(self.model, data['inputs'], kinds)
        for feature in features.values():
            check_finite(feature, names_of(data['data_samples']))
        return {kind: feature.float() for kind, feature in features.items()}

    @torch.no_grad()
    def _judge(self, feature: Tensor) -> dict[str, Tensor]:
        """Classify features (N, num_clips, F), if the model can."""
        if isinstance(self.model, SkeletonKNN):
            return self._search(feature)
        if not self.model.with_cls_head:
            return {}
        samples = self.model.cls_head.predict(
            feature.flatten(0, 1), [ActionDataSample() for _ in feature])
        return dict(
            scores=torch.stack([sample.pred_score for sample in samples]),
            labels=torch.cat([sample.pred_label for sample in samples]))

    def _search(self, feature: Tensor) -> dict[str, Tensor]:
        """Find the nearest clips of features, and count their votes."""
        model = self.model
        with self._autocast():
            gallery = model.encoded_gallery
        named = self.num_nearest or model.num_neighbors
        cosines, nearest = gallery.search(
            gallery.query(feature), max(named, model.num_neighbors))
        found = dict(
            nearest_indices=nearest[:, :named],
            similarities=cosines[:, :named])
        if gallery.unlabelled:
            return found
        scores = gallery.vote(cosines[:, :model.num_neighbors],
                              nearest[:, :model.num_neighbors], model.weights)
        return dict(
            found,
            scores=scores,
            labels=scores.argmax(dim=1),
            nearest_labels=gallery.labels[found['nearest_indices']])

    def _batches(self, clips: Clips) -> Iterator[dict[str, Any]]:
        """Prepare clips: inputs of the model and samples, by batches."""
        if isinstance(clips, Mapping) and 'keypoint' not in clips:
            samples: Sequence[Any] = split_streams(clips)
            prepare: Callable[[Any, str], dict] = self._pack_streams
        else:
            samples = split_clips(clips)
            prepare = self._prepare_clip
        bar = ProgressBar(
            len(samples),
            file=bar_file(sys.stderr if self.show_progress else None))
        for start in range(0, len(samples), self.batch_size):
            batch = [
                prepare(sample, f'clip {start + i}') for i, sample in
                enumerate(samples[start:start + self.batch_size])
            ]
            yield self.model.data_preprocessor(pseudo_collate(batch), False)
            bar.update(len(batch))
        bar.file.write('\n')

    def _prepare_clip(self, clip: Clip, name: str) -> dict[str, Any]:
        return self.pipeline(make_results(clip, name, self.nonfinite))

    @staticmethod
    def _pack_streams(streams: dict[str, Tensor], name: str) -> dict[str, Any]:
        return dict(
            inputs=Streams(
                {key: stream[None]
                 for key, stream in streams.items()}),
            data_samples=ActionDataSample(metainfo=dict(frame_dir=name)))
