from typing import Any, Optional

import numpy as np
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner


@HOOKS.register_module()
class CheckLossHook(Hook):
    """Stop at the first loss that is not finite, before it can be saved.

    The check costs no time: the loss is already on the CPU for the log.

    Raises:
        FloatingPointError: The message names the iteration, the losses and
            the clips.
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
        shown = ', '.join(names[:4]) + (', ...' if len(names) > 4 else '')
        raise FloatingPointError(
            f'the loss is not finite at iteration {runner.iter + 1} (epoch '
            f'{runner.epoch + 1}): {values}; {len(names)} clips of the batch '
            f'({shown}) are in the log; nothing of this iteration was saved, '
            'resume from the last checkpoint with a smaller learning rate or '
            'full precision')
