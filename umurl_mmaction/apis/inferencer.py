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
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.utils.retrieval import nearest_neighbors
from ..skeleton.modalities import generate_modalities
from .clips import (
    Clip,
    ClipPipeline,
    Clips,
    make_results,
    split_clips,
    split_streams,
)
from .loading import load_config, load_model

PRECISIONS = dict(fp32=None, bf16=torch.bfloat16, fp16=torch.float16)
FUSED = 'fused'


@contextmanager
def _encoded(backbone: nn.Module) -> Iterator[None]:
    """Let a model take features instead of clips for a moment."""
    backbone.forward = lambda feature: feature
    try:
        yield
    finally:
        del backbone.forward


class UmURLInferencer:
    """A trained encoder for clips as they come.

    The config's own test pipeline prepares them, so that the numbers are
    those of MMEngine's test loop.

    Args:
        config (str | Path | Config): A linear, fine-tuning or retrieval
            config: path, base name (``'umurl-knn_synthetic.py'``),
            ``'umurl_mmaction::...'``, or a ``Config``.
        checkpoint (str | Path): Path or URL of its weights, of ours or of
            the paper's code.
        device (str, optional): Such as ``'cuda:0'``. Defaults to the best
            that there is.
        precision (str): Of the encoder: ``'fp32'``, or by autocast
            ``'bf16'`` or ``'fp16'``. Defaults to ``'fp32'``.
        batch_size (int): Clips that are encoded together. Defaults to 64.
        num_nearest (int, optional): Clips of the gallery to name. Defaults
            to the number that votes in the config.
        show_progress (bool): Whether to show a bar (on stderr). Defaults to
            False.
        cfg_options (dict, optional): Settings of the config to change, by
            dotted key, such as ``model.gallery.dataset.ann_file``.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If the config cannot be used on clips, the checkpoint
            does not fit, or a setting above is none of those.

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
        if 'test_dataloader' not in self.cfg:
            raise ValueError(
                f'config {self.cfg.filename or "given"} has no test pipeline: '
                'to use a pre-trained encoder, take the checkpoint with a '
                'retrieval (knn) config')
        self.model = load_model(self.cfg, checkpoint, device)
        dataset = self.cfg.test_dataloader.dataset
        self.pipeline = ClipPipeline(dataset)
        self.nonfinite = dataset.get('nonfinite', 'error')
        self.precision = precision
        self.batch_size = batch_size
        self.num_nearest = num_nearest
        self.show_progress = show_progress
        self._gallery: Optional[tuple[Tensor, Tensor, list[str]]] = None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def __call__(self, clips: Clips) -> dict[str, np.ndarray]:
        """Encode clips, and classify them if the model can.

        Args:
            clips (np.ndarray | Tensor | dict | sequence): Of N clips any of

                - arrays (M, T, V, C), in a list, or one array;
                - annotations of MMAction2, with such a ``keypoint``, in a
                  list, or one of them;
                - an array (N, M, T, V, C) of clips of one length;
                - streams of some modalities by name, prepared already, each
                  ([N, ]M, clip_len, V, C).

        Returns:
            dict[str, np.ndarray]: ``features`` (N, F). With a classifier or
            a gallery ``scores`` (N, num_classes) and ``labels`` (N, ). With
            a gallery of its K nearest clips ``nearest_names`` (N, K),
            ``nearest_labels`` (N, K), and ``similarities`` (N, K), their
            cosines.

        Raises:
            ValueError: If something else is given, or a clip does not fit
                the model.
        """
        found: dict[str, list[Tensor]] = {}
        for inputs in self._batches(clips):
            feature = self._encode(inputs, FUSED)
            found.setdefault('features', []).append(feature.mean(dim=1))
            for name, value in self._judge(feature).items():
                found.setdefault(name, []).append(value)
        results = {
            name: torch.cat(values).cpu().numpy()
            for name, values in found.items()
        }
        if self._gallery is not None:
            names = np.array(self._gallery[2])
            index = results.pop('nearest')
            results['nearest_names'] = names[index]
        return results

    def extract_features(
            self,
            clips: Clips,
            kinds: Sequence[str] = (FUSED, )) -> dict[str, np.ndarray]:
        """Encode clips, and no more.

        Args:
            clips (np.ndarray | Tensor | dict | sequence): As for a call.
            kinds (sequence of str): ``'fused'`` of all modalities together,
                or the name of one alone. Defaults to ``('fused', )``.

        Returns:
            dict[str, np.ndarray]: Features (N, F), float32, of each kind.

        Raises:
            ValueError: If a kind is unknown, or the clips are not right.
        """
        self.check_kinds(kinds)
        batches = [
            self.encode_batch(inputs, kinds)
            for inputs in self._batches(clips)
        ]
        return {
            kind: torch.cat([batch[kind] for batch in batches]).cpu().numpy()
            for kind in kinds
        }

    def check_kinds(self, kinds: Sequence[str]) -> None:
        """Raise ``ValueError`` unless these features can be computed."""
        known = [FUSED, *getattr(self.model.backbone, 'modalities', ())]
        for kind in kinds:
            if kind not in known:
                raise ValueError(f'this model has no {kind!r} feature, only '
                                 f'{", ".join(known)}')

    def encode_batch(self, inputs: Any,
                     kinds: Sequence[str]) -> dict[str, Tensor]:
        """Features of a batch from the model's ``data_preprocessor``.

        Args:
            inputs (Tensor | dict[str, Tensor]): Joints, or streams, each
                (N, num_clips, M, T, V, C).
            kinds (sequence of str): As in ``extract_features``.

        Returns:
            dict[str, Tensor]: The mean over the clips of a sample, (N, F),
            float32, of each kind.
        """
        return {kind: self._encode(inputs, kind).mean(dim=1) for kind in kinds}

    @contextmanager
    def _autocast(self) -> Iterator[None]:
        dtype = PRECISIONS[self.precision]
        with torch.no_grad(), torch.autocast(
                self.device.type, dtype=dtype, enabled=dtype is not None):
            yield

    def _encode(self, inputs: Any, kind: str) -> Tensor:
        """(N, num_clips, F) of one kind, in float32."""
        first = next(iter(inputs.values())) if isinstance(
            inputs, Mapping) else inputs
        num_samples = len(first)
        with self._autocast():
            if isinstance(inputs, Tensor) and kind == FUSED:
                feature, _ = self.model.extract_feat(inputs)
            else:
                feature = self.model.backbone(self._streams(inputs, kind))
        return feature.float().reshape(num_samples, -1, feature.shape[-1])

    def _streams(self, inputs: Any, kind: str) -> dict[str, Tensor]:
        if isinstance(inputs, Tensor):
            return generate_modalities(
                inputs.flatten(0, 1), [kind], self.model.backbone.layout)
        if kind != FUSED and kind not in inputs:
            raise ValueError(f'the {kind!r} stream was not given, only '
                             f'{", ".join(inputs)}')
        return {
            name: stream.flatten(0, 1)
            for name, stream in inputs.items() if kind in (FUSED, name)
        }

    @torch.no_grad()
    def _judge(self, feature: Tensor) -> dict[str, Tensor]:
        """Scores, labels and nearest clips of features (N, num_clips, F)."""
        gallery = hasattr(self.model, 'encode_gallery')
        if not gallery and not self.model.with_cls_head:
            return {}
        judged = self._search(feature) if gallery else {}
        with _encoded(self.model.backbone):
            samples = self.model.predict(
                feature, [ActionDataSample() for _ in feature])
        scores = torch.stack([sample.pred_score for sample in samples])
        labels = torch.cat([sample.pred_label for sample in samples])
        return dict(scores=scores, labels=labels, **judged)

    def _search(self, feature: Tensor) -> dict[str, Tensor]:
        if self._gallery is None:
            with self._autocast():
                gallery, labels = self.model.encode_gallery()
            # The model's own votes take it from here, too.
            self.model.encode_gallery = lambda: (gallery, labels)
            self._gallery = (gallery, labels, self.model.gallery_names)
        gallery, labels, _ = self._gallery
        count = self.num_nearest or self.model.num_neighbors
        similarities, nearest = nearest_neighbors(
            F.normalize(feature.mean(dim=1), dim=1), gallery,
            min(count, len(labels)))
        return dict(
            nearest=nearest,
            nearest_labels=labels[nearest],
            similarities=similarities)

    def _batches(self, clips: Clips) -> Iterator[Any]:
        """What the model's preprocessor makes of the clips."""
        if isinstance(clips, Mapping) and 'keypoint' not in clips:
            samples: Sequence[Any] = split_streams(clips)
            prepare: Callable[[Any, str], dict] = self._pack_streams
        else:
            samples = split_clips(clips)
            prepare = self._prepare_clip
        bar = ProgressBar(
            len(samples), file=sys.stderr) if self.show_progress else None
        for start in range(0, len(samples), self.batch_size):
            batch = [
                prepare(sample, f'clip {start + i}') for i, sample in
                enumerate(samples[start:start + self.batch_size])
            ]
            data = self.model.data_preprocessor(pseudo_collate(batch), False)
            yield data['inputs']
            if bar is not None:
                bar.update(len(batch))
        if bar is not None:
            bar.file.write('\n')

    def _prepare_clip(self, clip: Clip, name: str) -> dict[str, Any]:
        return self.pipeline(make_results(clip, name, self.nonfinite))

    @staticmethod
    def _pack_streams(streams: dict[str, Tensor], name: str) -> dict[str, Any]:
        return dict(
            inputs={key: stream[None]
                    for key, stream in streams.items()},
            data_samples=ActionDataSample())
