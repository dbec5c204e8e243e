from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...models.utils.encoding import FUSED, extract_features, nonfinite_clips
from ...skeleton.batch import Views
from ..unwrap import bare_model


@HOOKS.register_module()
class CheckLossHook(Hook):
    """Stop at the first loss that is not finite, before it can be saved.

    The check costs no time: the loss is already on the CPU for the log.

    Raises:
        FloatingPointError: The message names the iteration, the losses and
            the clips: those whose features are not finite, if there are
            others.
    """

    # Before the hook that saves checkpoints.
    priority = 'ABOVE_NORMAL'

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Check all loss terms of the iteration."""
        terms = {
            name: float(runner.message_hub.get_scalar(
                f'train/{name}').current())
            for name in outputs or {}
        }
        if np.isfinite(list(terms.values())).all():
            return
        names = [
            sample.metainfo.get('frame_dir', '?')
            for sample in (data_batch or {}).get('data_samples', ())
        ]
        print_log(f'Clips of the batch: {" ".join(names)}', 'current')
        values = ', '.join(f'{name} {value:g}'
                           for name, value in terms.items())
        self._check_clips(runner, data_batch, names)
        shown = ', '.join(names[:4]) + (', ...' if len(names) > 4 else '')
        raise FloatingPointError(
            f'the loss is not finite at iteration {runner.iter + 1} (epoch '
            f'{runner.epoch + 1}): {values}; {len(names)} clips of the batch '
            f'({shown}) are in the log; nothing of this iteration was saved, '
            'resume from the last checkpoint with a smaller learning rate or '
            'full precision')

    @staticmethod
    @torch.no_grad()
    def _check_clips(runner: Runner, data_batch: Any,
                     names: Sequence[str]) -> None:
        """Name the clips that are to blame, if the weights are not."""
        model = bare_model(runner)
        was_training = model.training
        model.eval()
        bad: list[str] = []
        with runner.optim_wrapper.optim_context(model):
            inputs = model.data_preprocessor(data_batch, False)['inputs']
            # First, for after the step the weights may not be finite either.
            parts = inputs.values() if isinstance(inputs, dict) else (
                inputs if isinstance(inputs, Views) else [inputs])
            for part in parts:
                bad = bad or nonfinite_clips(part, names)
            what = 'coordinates of clip {!r} are'
            if not (bad or isinstance(inputs, Views)):
                features = extract_features(model, inputs)[FUSED]
                bad = nonfinite_clips(features, names)
                what = 'feature of clip {!r} is'
                if len(bad) == len(names):  # the weights are to blame
                    bad = []
        model.train(was_training)
        if bad:
            raise FloatingPointError(
                f'the loss is not finite at iteration {runner.iter + 1}, for '
                f'the {what.format(bad[0])} not ({len(bad)} of {len(names)} '
                'clips): its coordinates are to be looked at')
