"""Models that run without this package: ONNX, TorchScript, torch.export."""
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import torch
from torch import Tensor, nn

from ..datasets.transforms import (
    PackSkeletonInputs,
    SkeletonPreNormalize,
    SkeletonPreNormalize2D,
    TemporalCropResize,
)
from ..fileio.atomic import replacing
from ..skeleton.layout import Layout
from ..skeleton.normalize import (
    normalize_by_body,
    normalize_clips,
    normalize_pixels,
)
from ..skeleton.temporal import resize
from .inferencer import UmURLInferencer

Step = Callable[[Tensor], Tensor]
Run = Callable[[Tensor], Sequence[Any]]

# The order of float32 sums changes outputs by less than this share of the
# largest one.
TOLERANCE = 1e-4


def _normalize(transform: SkeletonPreNormalize, layout: Layout) -> Step:
    return partial(
        normalize_clips,
        layout=transform.layout or layout,
        rotate_in=torch.float32,
        rotation=transform.rotation,
        up=transform.up,
        scale=transform.scale)


def _normalize_pixels(transform: SkeletonPreNormalize2D,
                      layout: Layout) -> Step:
    if transform.scale_by == 'body':
        return partial(normalize_by_body, score_thr=transform.score_thr)
    return partial(
        normalize_pixels,
        img_shape=transform.img_shape,
        score_thr=transform.score_thr)


def _resize(transform: TemporalCropResize, layout: Layout) -> Step:
    if min(transform.ratio) < 1:
        raise ValueError(f'{transform} crops at random, which cannot be '
                         'exported; wanted is ratio=(1, 1)')
    return partial(resize, clip_len=transform.clip_len)


def _pack(transform: PackSkeletonInputs, layout: Layout) -> Step:
    # The encoder fits the number of bodies.
    return nn.Identity()


# Functions that make the step of a transform, by the transform's class. A
# transform of your own is one more entry.
STEPS: dict[type, Callable[[Any, Layout], Step]] = {
    SkeletonPreNormalize: _normalize,
    SkeletonPreNormalize2D: _normalize_pixels,
    TemporalCropResize: _resize,
    PackSkeletonInputs: _pack,
}


def traceable_steps(transforms: Sequence[Any], layout: Layout) -> list[Step]:
    """Turn a test pipeline into functions of batches that can be traced.

    Args:
        transforms (sequence): The transforms of the pipeline.
        layout (Layout): Layout of the clips, for transforms without one.

    Returns:
        list[Callable]: Each maps joints (N, M, T, V, C) to such joints.

    Raises:
        ValueError: If one of the transforms cannot be exported.
    """
    steps = []
    for transform in transforms:
        if type(transform) not in STEPS:
            known = ', '.join(kind.__name__ for kind in STEPS)
            raise ValueError(f'{type(transform).__name__} of the test '
                             f'pipeline cannot be exported, only {known}')
        steps.append(STEPS[type(transform)](transform, layout))
    return steps


class DeployModel(nn.Module):
    """The test pipeline, the encoder and its classifier as one module.

    Args:
        inferencer (UmURLInferencer): It has the model and the test pipeline.

    Attributes:
        output_names (list[str]): ``features``, and ``scores`` if there is a
            classifier.

    Raises:
        ValueError: If the pipeline cannot be exported.
    """

    def __init__(self, inferencer: UmURLInferencer) -> None:
        super().__init__()
        model = inferencer.model
        self.backbone = model.backbone
        self.steps = traceable_steps(inferencer.pipeline.transforms,
                                     self.backbone.layout)
        self.head = model.cls_head if model.with_cls_head else None
        self.output_names = ['features'] + ['scores'] * bool(self.head)
        self.eval().requires_grad_(False)

    def forward(self, joints: Tensor) -> tuple[Tensor, ...]:
        """Encode raw clips.

        Args:
            joints (Tensor): (N, M, T, V, C), float32, any N and T; zeros
                where a body or joint is missing.

        Returns:
            tuple[Tensor, ...]: Features (N, F), and with a classifier its
            scores (N, num_classes).
        """
        for step in self.steps:
            joints = step(joints)
        feature = self.backbone(joints)
        if self.head is None:
            return (feature, )
        scores = self.head(feature)
        if self.head.average_clips == 'prob':
            scores = scores.softmax(dim=-1)
        return feature, scores

    @property
    def device(self) -> torch.device:
        """The device of the model; exports run on it, except ONNX models."""
        return next(self.parameters()).device

    def example(self, num_clips: int, num_frames: int) -> Tensor:
        """Draw random clips that the model takes, (N, M, T, V, C)."""
        num_person, _, num_joints, coords = self.backbone.input_shape
        shape = (num_clips, num_person, num_frames, num_joints, coords)
        generator = torch.Generator().manual_seed(0)
        return torch.randn(shape, generator=generator).to(self.device)


@contextmanager
def _tracing() -> Iterator[None]:
    """Switch off kernels that exporters do not know, and their messages."""
    fast = torch.backends.mha.get_fastpath_enabled()
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    torch.backends.mha.set_fastpath_enabled(False)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The warnings are about fixed shape checks and deprecations.
            warnings.simplefilter('ignore')
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        logger.setLevel(level)


def _program(model: DeployModel) -> torch.export.ExportedProgram:
    dim = torch.export.Dim
    shapes = dict(joints={0: dim('N', min=1), 2: dim('T', min=1)})
    # A size of 1, or two equal sizes, would be fixed by the example.
    return torch.export.export(
        model, (model.example(2, 50), ), dynamic_shapes=shapes)


def _save_onnx(model: DeployModel, path: Path) -> None:
    onnx = torch.onnx.export(
        _program(model),
        input_names=['joints'],
        output_names=model.output_names,
        dynamo=True,
        verbose=False)
    assert onnx is not None
    onnx.save(str(path), external_data=False)


def _save_torchscript(model: DeployModel, path: Path) -> None:
    traced = torch.jit.trace(model, model.example(2, 50))
    _write(partial(torch.jit.save, traced), path)


def _save_program(model: DeployModel, path: Path) -> None:
    _write(partial(torch.export.save, _program(model)), path)


def _write(save: Callable[[Any], Any], path: Path) -> None:
    """Save through memory: to a file on a full disk, torch would crash."""
    buffer = io.BytesIO()
    save(buffer)
    path.write_bytes(buffer.getbuffer())


def _load_onnx(path: Path, device: torch.device) -> Run:
    import onnxruntime
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])
    return lambda joints: session.run(None, {'joints': joints.cpu().numpy()})


def _load_torchscript(path: Path, device: torch.device) -> Run:
    return torch.jit.load(str(path), map_location=device)


def _load_program(path: Path, device: torch.device) -> Run:
    return torch.export.load(str(path)).module()


class Format(NamedTuple):
    """A format that a model is exported to.

    Attributes:
        suffix (str): Suffix of its files.
        save (Callable): Writes a model to a file.
        load (Callable): Loads a file to a device, as a function of joints.
    """
    suffix: str
    save: Callable[[DeployModel, Path], None]
    load: Callable[[Path, torch.device], Run]


FORMATS = dict(
    onnx=Format('.onnx', _save_onnx, _load_onnx),
    torchscript=Format('.pt', _save_torchscript, _load_torchscript),
    torch_export=Format('.pt2', _save_program, _load_program))


@torch.no_grad()
def largest_difference(model: DeployModel, run: Run) -> float:
    """Compare a model with its export, on clips of several lengths.

    Returns:
        float: The largest difference as a share of the largest output.
    """
    largest = 0.
    for num_clips, num_frames in ((1, 1), (3, 20), (1, 150)):
        joints = model.example(num_clips, num_frames)
        for wanted, got in zip(model(joints), run(joints)):
            difference = torch.as_tensor(got, device=wanted.device) - wanted
            share = difference.abs().max() / wanted.abs().max()
            largest = max(largest, share.item())
    return largest


def export(model: DeployModel, format: str, path: Path) -> Optional[float]:
    """Write a model to a file that runs without this package.

    The file is written only if its outputs equal the model's.

    Args:
        model (DeployModel): On the device where the export will run; an ONNX
            model runs anywhere.
        format (str): A key of ``FORMATS``.
        path (Path): File to write, with the format's suffix.

    Returns:
        float | None: The ``largest_difference``; None if ONNX Runtime, which
        is needed to measure it, is not installed.

    Raises:
        ValueError: If the path has another suffix.
        ImportError: If a package is missing that the format needs.
        RuntimeError: If the exported model has other outputs.
    """
    suffix, save, load = FORMATS[format]
    if path.suffix != suffix:
        raise ValueError(f'format {format} is written to a {suffix} file, '
                         f'not to {path.name}')
    with _tracing(), replacing(path) as temporary:
        save(model, temporary)
        if format == 'onnx' and find_spec('onnxruntime') is None:
            return None
        difference = largest_difference(model, load(temporary, model.device))
        if not difference < TOLERANCE:
            raise RuntimeError(f'the exported model differs by {difference:g} '
                               'of its largest output')
        return difference
