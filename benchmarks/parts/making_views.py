"""Four views of each clip of a batch, from the clips in memory."""
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.registry import MODELS
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub
from torch import Tensor

from umurl_mmaction.datasets import pack_collate
from umurl_mmaction.skeleton import PackedClips

from .plain import plain
from .product import PRETRAIN, load_config, make_clips
from .settings import Row, Settings, speed
from .timing import alternate


def data(settings: Settings) -> list[Row]:
    """Measure samples per second of the plain augmentation and of ours.

    Each variant takes clips in memory and makes four tensors (N, M, T, V, C)
    on the device. The plain form, for each clip and each view::

        clip = resize(clip[:, start:start + length], clip_len)
        clip = clip @ matrix    # of all joints, or of the chosen ones
    """
    rows = []
    # As in a training, where each clip has its own random numbers.
    hub = MessageHub.get_current_instance()
    hub.update_info_dict(dict(loop_stage='train', seed=0, epoch=0, iter=0))
    for batch_size in settings.batch_sizes:
        calls = _calls(make_clips(batch_size), settings)
        for call in calls.values():
            _check(call(), batch_size, settings)
        times = alternate(calls, settings.steps, settings.device)
        rows += [
            speed('data', name, batch_size, seconds, batch_size=batch_size)
            for name, seconds in times.items()
        ]
    hub.pop_info('loop_stage')
    return rows


def _calls(clips: Sequence[np.ndarray], settings: Settings) -> dict[str, Any]:
    cfg = load_config(PRETRAIN, settings.embed_dims[0], settings)
    # The model sets the number of views.
    model = MODELS.build(cfg.model)
    preprocessor = model.data_preprocessor.to(settings.device)
    per_clip = Compose(cfg.per_clip_pipeline)
    per_clip.transforms[0].fit(model.num_views, model.backbone.input_shape[1])
    raw = Compose(cfg.train_pipeline)
    rng = np.random.default_rng(0)

    def run_plain() -> Tensor:
        views = plain('augment').views(clips, rng)
        return torch.from_numpy(views).to(settings.device)

    def run_per_clip() -> list[Tensor]:
        samples = [per_clip(dict(keypoint=clip)) for clip in clips]
        return preprocessor(pseudo_collate(samples), True)['inputs']

    def run_batched() -> list[Tensor]:
        samples = [raw(dict(keypoint=clip)) for clip in clips]
        return preprocessor(pack_collate(samples), True)['inputs']

    packed = pack_collate([raw(dict(keypoint=clip)) for clip in clips])
    kept = PackedClips(
        *(part.to(settings.device) for part in packed['inputs']))

    def run_kept() -> list[Tensor]:
        return preprocessor(dict(inputs=kept), True)['inputs']

    return {
        'plain numpy, one worker': run_plain,
        'product, clip by clip': run_per_clip,
        'product, batched': run_batched,
        'product, batched, clips kept on the device': run_kept
    }


def _check(views: Any, batch_size: int, settings: Settings) -> None:
    wanted = (batch_size, 2, 64, 25, 3)
    for view in views:
        assert view.shape == wanted and view.dtype == torch.float32
        assert view.device.type == settings.device
    assert len(views) == 4
