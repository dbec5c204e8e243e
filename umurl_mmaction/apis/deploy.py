"""Models that run without this package: ONNX, TorchScript, torch.export."""
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import torch
from mmaction.datasets.transforms import PreNormalize2D
from torch import Tensor, nn

from ..datasets.transforms import (
    PackSkeletonInputs,
    SkeletonPreNormalize,
    TemporalCropResize,
)
from ..fileio.atomic import replacing
from ..skeleton.layout import Layout
from ..skeleton.normalize import normalize_clips
from ..skeleton.temporal import resize
from .inferencer import UmURLInferencer

Step = Callable[[Tensor], Tensor]
Run = Callable[[Tensor], Sequence[Any]]

# Of the largest output: what the order of float32 sums makes out.
TOLERANCE = 1e-4


def normalize_pixels(joints: Tensor, img_shape: Sequence[int]) -> Tensor:
    """As MMAction2's ``PreNormalize2D``, for bodies that may not be there.

    Args:
        joints (Tensor): (N, M, T, V, C) with x and y first, in pixels; a
            body of zeros is none and stays so.
        img_shape (sequence of int): Height and width of the frame.

    Returns:
        Tensor: (N, M, T, V, C), x and y within -1..1.
    """
    height, width = img_shape
    rest = joints.shape[-1] - 2
    center = joints.new_tensor([width / 2, height / 2] + [0.] * rest)
    scale = joints.new_tensor([width / 2, height / 2] + [1.] * rest)
    present = (joints != 0).flatten(2).any(dim=-1)
    return (joints - center) / scale * present[:, :, None, None, None]


def _whole_clip(transform: TemporalCropResize, layout: Layout) -> Step:
    if min(transform.ratio) < 1:
        raise ValueError(f'{transform} crops at random, which cannot be '
                         'exported; wanted is ratio=(1, 1)')
    return partial(resize, clip_len=transform.clip_len)


# The same for batches and tracers, by the transform's class. A transform of
# one's own is one more entry.
STEPS: dict[type, Callable[[Any, Layout], Step]] = {
    SkeletonPreNormalize:
    lambda transform, layout: partial(
        normalize_clips,
        layout=transform.layout or layout,
        rotate_in=torch.float32),
    PreNormalize2D:
    lambda transform, layout: partial(
        normalize_pixels, img_shape=transform.img_shape),
    TemporalCropResize: _whole_clip,
    # The number of bodies is part of the input's shape.
    PackSkeletonInputs: lambda transform, layout: nn.Identity(),
}


def traceable_steps(transforms: Sequence[Any],
                    layout: Layout) -> list[Step]:
    """What a test pipeline does to a clip, for batches and tracers.

    Args:
        transforms (sequence): The pipeline's transforms.
        layout (Layout): The encoder's, for transforms that name none.

    Returns:
        list[Callable]: Each maps joints (N, M, T, V, C) to the same.

    Raises:
        ValueError: If one of the transforms cannot be part of a model.
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
    """From raw joints to what an inferencer gives, as one module.

    Args:
        inferencer (UmURLInferencer): Model and test pipeline.

    Raises:
        ValueError: If the pipeline or the encoder cannot be exported.
    """

    def __init__(self, inferencer: UmURLInferencer) -> None:
        super().__init__()
        model = inferencer.model
        self.backbone = model.backbone
        if not hasattr(self.backbone, 'input_shape'):
            raise ValueError(f'{type(self.backbone).__name__} does not say '
                             'its input_shape (M, T, V, C), so it cannot be '
                             'exported')
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
        """Where the model is; all but ONNX models stay there."""
        return next(self.parameters()).device

    def example(self, num_clips: int, num_frames: int) -> Tensor:
        """Random clips of the right shape, (N, M, T, V, C)."""
        num_person, _, num_joints, coords = self.backbone.input_shape
        shape = (num_clips, num_person, num_frames, num_joints, coords)
        generator = torch.Generator().manual_seed(0)
        return torch.randn(shape, generator=generator).to(self.device)


@contextmanager
def _tracing() -> Iterator[None]:
    """Without kernels that exporters do not know, and without their notes."""
    fast = torch.backends.mha.get_fastpath_enabled()
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    torch.backends.mha.set_fastpath_enabled(False)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Of shape checks that stay as they are, and of deprecations.
            warnings.simplefilter('ignore')
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        logger.setLevel(level)


def _program(model: DeployModel) -> torch.export.ExportedProgram:
    dim = torch.export.Dim
    shapes = dict(joints={0: dim('N', min=1), 2: dim('T', min=1)})
    # Neither size may be 1, nor the same: such an example fixes it.
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
    torch.jit.save(traced, str(path))


def _save_program(model: DeployModel, path: Path) -> None:
    torch.export.save(_program(model), str(path))


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
    """A kind of file that a model is exported to."""
    suffix: str
    save: Callable[[DeployModel, Path], None]
    load: Callable[[Path, torch.device], Run]


FORMATS = dict(
    onnx=Format('.onnx', _save_onnx, _load_onnx),
    torchscript=Format('.pt', _save_torchscript, _load_torchscript),
    torch_export=Format('.pt2', _save_program, _load_program))


@torch.no_grad()
def largest_difference(model: DeployModel, run: Run) -> float:
    """Between what a model and its export give, of the largest output.

    Args:
        model (DeployModel): The model.
        run (Callable): Its export.

    Returns:
        float: The largest over clips of several lengths.
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
    """Write a model to a file that needs nothing of this package.

    The file is there only if it gives what the model gives.

    Args:
        model (DeployModel): On the device where the export is to run; an
            ONNX model runs anywhere.
        format (str): A key of ``FORMATS``.
        path (Path): File to write, with the format's suffix.

    Returns:
        float | None: The ``largest_difference``; None if ONNX Runtime, which
        would tell, is not installed.

    Raises:
        ValueError: If the suffix is another.
        ImportError: If a package is missing that the format needs.
        RuntimeError: If the exported model gives something else.
    """
    suffix, save, load = FORMATS[format]
    if path.suffix != suffix:
        raise ValueError(f'format {format} is written to a {suffix} file, '
                         f'not to {path.name}')
    with _tracing(), replacing(path) as part:
        save(model, part)
        if format == 'onnx' and find_spec('onnxruntime') is None:
            return None
        difference = largest_difference(model, load(part, model.device))
        if not difference < TOLERANCE:
            raise RuntimeError(f'the exported model differs by {difference:g} '
                               'of its largest output')
        return difference
