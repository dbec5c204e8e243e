from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...models.official.checks import load_all_weights
from ...models.official.hico import rename_hico
from ...models.official.names import is_pretraining_only, strip_module
from ..unwrap import bare_model


@HOOKS.register_module()
class CheckWeightsHook(Hook):
    """Refuse a checkpoint that lacks weights which stay as they are.

    MMEngine only logs what a checkpoint lacks, and goes on with random
    weights. A test needs all weights of the model, and a training those of a
    frozen encoder. A training of a classifier on a pre-trained encoder leaves
    out the projectors and starts the classifier untrained. One line says so,
    in place of MMEngine's lists of keys, which then hold the rest.

    Raises:
        ValueError: If the checkpoint lacks such a weight, or has one of
            another shape.
    """

    def __init__(self) -> None:
        self._weights: dict[str, Any] = {}
        self._notes: list[str] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what is expected to differ out of MMEngine's lists."""
        model: Any = bare_model(runner)
        weights = checkpoint.get('state_dict', checkpoint)
        rename_hico(weights, model)
        self._weights = dict(weights)
        self._notes = []
        if getattr(model, 'neck', None) is None:
            extra = list(filter(is_pretraining_only, weights))
            for key in extra:
                del weights[key]
            if extra:
                self._notes.append(f'{len(extra)} weights of projectors, '
                                   'which only pre-training uses, are left '
                                   'out')
        if getattr(model, 'cls_head', None) is not None and not any(
                strip_module(key).startswith('cls_head.') for key in weights):
            weights.update(model.cls_head.state_dict(prefix='cls_head.'))
            self._notes.append('the classifier starts untrained')

    def before_test(self, runner: Runner) -> None:
        """Load all weights once more, with a check."""
        weights, self._weights = self._weights, {}
        if weights:
            load_all_weights(bare_model(runner), weights, source_of(runner))

    def before_train(self, runner: Runner) -> None:
        """Check the weights of a frozen encoder, and say what differs."""
        weights, self._weights = self._weights, {}
        backbone: Any = getattr(bare_model(runner), 'backbone', None)
        if weights and getattr(backbone, 'frozen', False):
            load_all_weights(backbone, weights, source_of(runner), 'backbone.')
        if self._notes:
            print_log(f'{source_of(runner)}: {"; ".join(self._notes)}',
                      'current')
            self._notes = []


def source_of(runner: Runner) -> str:
    """Name the checkpoint that a runner has loaded, for messages."""
    return runner.cfg.get('load_from') or 'the checkpoint'
