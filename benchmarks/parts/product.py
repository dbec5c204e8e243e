"""The configs of the product, and generated data."""
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from .settings import DTYPES, Settings

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'umurl'
PRETRAIN = 'pretrain/umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'
LINEAR = 'linear/umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py'


def load_config(name: str, embed_dims: int, settings: Settings) -> Config:
    """Load a config with this width; a smoke run has narrow projections."""
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
    """Return the config's optimizer wrapper for another precision."""
    if precision == 'fp32':
        return dict(
            type='OptimWrapper', optimizer=cfg.optim_wrapper.optimizer)
    return dict(cfg.optim_wrapper, dtype=DTYPES[precision])


def make_clips(count: int) -> list[np.ndarray]:
    """Make clips of 32 to 300 frames and one or two bodies.

    Returns:
        list[np.ndarray]: Random numbers (M, T, 25, 3), float32, the same in
        each call. All clips are views of one array of 4 MiB.
    """
    rng = np.random.default_rng(0)
    pool = rng.standard_normal(2**20, dtype=np.float32)
    clips = []
    for _ in range(count):
        shape = (int(rng.integers(1, 3)), int(rng.integers(32, 301)), 25, 3)
        size = int(np.prod(shape))
        start = int(rng.integers(len(pool) - size))
        clips.append(pool[start:start + size].reshape(shape))
    return clips


def write_annotations(path: Path, count: int) -> None:
    """Write a pickle of generated clips in the split ``train``."""
    from umurl_mmaction.converters.clip_collector import make_annotation
    from umurl_mmaction.fileio.annotations import save_annotations
    names = [f'clip{i:06d}' for i in range(count)]
    annotations = [
        make_annotation(name, i % 60, clip)
        for i, (name, clip) in enumerate(zip(names, make_clips(count)))
    ]
    save_annotations(
        dict(split=dict(train=names), annotations=annotations), path)
