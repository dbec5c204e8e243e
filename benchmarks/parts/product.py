"""The product as its configs say, and generated data."""
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from .settings import Settings

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'umurl'
PRETRAIN = 'pretrain/umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'
LINEAR = 'linear/umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py'


def load_config(name: str, embed_dims: int, settings: Settings) -> Config:
    """A config of this width; projections are narrow in a smoke run."""
    cfg = Config.fromfile(CONFIGS / name)
    cfg.model.backbone.embed_dims = embed_dims
    if 'neck' in cfg.model:
        cfg.model.neck.in_channels = 2 * embed_dims
        if settings.smoke:
            cfg.model.neck.out_channels = 64
    if 'cls_head' in cfg.model:
        cfg.model.cls_head.in_channels = 2 * embed_dims
    return cfg


def optim_wrapper(cfg: Config, precision: str) -> dict[str, Any]:
    """The config's optimizer in a precision of one's own choice."""
    optimizer = cfg.optim_wrapper.optimizer
    if precision == 'fp32':
        return dict(type='OptimWrapper', optimizer=optimizer)
    # Only float16 needs its loss scaled.
    scale: Any = dict(enabled=False)
    if precision == 'fp16':
        scale = 'dynamic'
    dtype = dict(bf16='bfloat16', fp16='float16')[precision]
    return dict(
        type='AmpOptimWrapper',
        dtype=dtype,
        loss_scale=scale,
        optimizer=optimizer)


def make_clips(count: int, seed: int = 0) -> list[np.ndarray]:
    """Clips of 32 to 300 frames of one or two bodies.

    Args:
        count (int): Clips.
        seed (int): Same seed, same clips. Defaults to 0.

    Returns:
        list[np.ndarray]: (M, T, 25, 3), float32: random numbers, parts of
        one array, so that the clips cost no memory of their own.
    """
    rng = np.random.default_rng(seed)
    pool = rng.standard_normal(2**20, dtype=np.float32)
    clips = []
    for _ in range(count):
        shape = (int(rng.integers(1, 3)), int(rng.integers(32, 301)), 25, 3)
        size = int(np.prod(shape))
        start = int(rng.integers(len(pool) - size))
        clips.append(pool[start:start + size].reshape(shape))
    return clips


def write_annotations(path: Path, count: int) -> None:
    """A pickle of generated clips, all of them in the split ``train``."""
    from umurl_mmaction.converters.shared import (
        make_annotation,
        save_annotations,
    )
    names = [f'clip{i:06d}' for i in range(count)]
    annotations = [
        make_annotation(name, i % 60, clip)
        for i, (name, clip) in enumerate(zip(names, make_clips(count)))
    ]
    save_annotations(
        dict(split=dict(train=names), annotations=annotations), path)
