import logging
from typing import Any, Optional

import torch
from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...evaluation.collapse import (
    agreement,
    dead_share,
    effective_rank,
    mean_std,
)
from ...models.utils.encoding import check_finite, names_of
from ..resume.run_state import random_state, set_random_state
from ..unwrap import bare_model


@HOOKS.register_module()
class CollapseMonitorHook(Hook):
    """Watch whether a self-supervised representation collapses.

    The loss says little about that. Every ``interval`` iterations the batch
    goes through the model once more, without gradients. The hook logs three
    properties of the fused feature: the mean standard deviation of its
    dimensions, the effective rank (at most the batch size minus 1) and the
    share of dead dimensions. For each modality it logs the agreement: the
    cosine of its projection and of the fused feature's projection.

    Args:
        interval (int): Iterations between two checks; 0 switches them off.
            Defaults to 100. A short run is checked more often, 5 times.
        threshold (float): A mean standard deviation below it means collapse;
            an untrained encoder has about 0.2, a trained one more. Defaults
            to 0.01.
        patience (int): Successive checks below the threshold before the one
            warning. Defaults to 5.
    """

    min_checks = 5

    def __init__(self,
                 interval: int = 100,
                 threshold: float = 0.01,
                 patience: int = 5) -> None:
        self.interval = interval
        self.threshold = threshold
        self.patience = patience
        self._interval = interval
        self._low = 0

    def before_train(self, runner: Runner) -> None:
        """Fit the interval to the length of the run."""
        self._interval = min(
            self.interval, max(1, runner.max_iters // self.min_checks))

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Check the batch on every rank; the first one logs."""
        if not self.every_n_train_iters(runner, self._interval):
            return
        values = self._look(runner, data_batch)
        if not dist.is_main_process():
            return
        step = runner.iter + 1
        runner.visualizer.add_scalars(
            {f'collapse/{name}': value
             for name, value in values.items()}, step=step)
        verdict = ('a sign of collapse' if values['std'] < self.threshold else
                   'no sign of collapse')
        print_log(
            f'Features at iteration {step}: ' +
            ', '.join(f'{name.replace("_", " ")} {value:.3g}'
                      for name, value in values.items()) + f': {verdict}',
            'current')
        self._warn(values['std'])

    @staticmethod
    @torch.no_grad()
    def _look(runner: Runner, data_batch: Any) -> dict[str, float]:
        model = bare_model(runner)
        # The statistics of the projectors see a batch once, and dropout
        # draws as if nobody had looked.
        chance = random_state()
        buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
        with runner.optim_wrapper.optim_context(model):
            data = model.data_preprocessor(data_batch, True)
            fused, uni, decomposed = model.project(data['inputs'])
        for buffer, value in buffers:
            buffer.copy_(value)
        set_random_state(chance)
        check_finite(fused, names_of(data_batch['data_samples']))
        values = dict(
            std=mean_std(fused),
            effective_rank=effective_rank(fused),
            dead_share=dead_share(fused))
        for name in uni:
            values[f'agreement_{name}'] = agreement(uni[name],
                                                    decomposed[name])
        return {name: float(value) for name, value in values.items()}

    def _warn(self, std: float) -> None:
        self._low = self._low + 1 if std < self.threshold else 0
        if self._low == self.patience:
            print_log(
                f'The representation seems to collapse: the standard '
                f'deviation of the fused feature is {std:.2g}, for '
                f'{self.patience} looks under {self.threshold:g}. A smaller '
                'learning rate, a larger batch or larger var_weight and '
                'cov_weight of VarianceCovarianceHead may help', 'current',
                logging.WARNING)
