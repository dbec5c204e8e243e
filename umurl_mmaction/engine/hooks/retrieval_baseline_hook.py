from typing import Any

from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from ...models import RawJoints
from ..loops import NearestNeighborValLoop
from ..resume.run_state import random_state, set_random_state
from ..unwrap import bare_model


@HOOKS.register_module()
class RetrievalBaselineHook(Hook):
    """Log what retrieval reaches before an encoder is trained.

    ``retrieval/raw_joints_top1`` is that of the normalised coordinates, and
    ``retrieval/fused_top1`` and so on at step 0 those of the untrained
    encoder: the log shows at once whether pre-training pays. The hook needs
    ``NearestNeighborValLoop`` and does nothing in a resumed run.

    Args:
        num_frames (int): Frames of the raw joints that are compared. Defaults
            to 16: the gallery of NTU RGB+D 60 then takes 0.4 GB.
    """

    # After the hooks that refuse or replace what the loops work on.
    priority = 'LOW'

    def __init__(self, num_frames: int = 16) -> None:
        self.num_frames = num_frames

    def before_train(self, runner: Runner) -> None:
        """Evaluate both; the random states stay as they were."""
        loop = runner.val_loop
        if runner.iter or not isinstance(loop, NearestNeighborValLoop):
            return
        state = random_state()
        model = bare_model(runner)
        untrained = loop.accuracies(model)
        raw = loop.accuracies(self._raw_joints(model))
        set_random_state(state)
        if not untrained:
            return
        scores = dict(raw_joints=raw['fused'], **untrained)
        if dist.is_main_process():
            runner.visualizer.add_scalars(
                {f'retrieval/{x}_top1': y for x, y in scores.items()}, step=0)
        print_log(
            'Retrieval before training, top-1: ' + ', '.join(
                f'{name.replace("_", " ")} {100 * value:.1f} %'
                for name, value in scores.items()), 'current')

    def _raw_joints(self, model: Any) -> Any:
        """A model without weights, which takes the same batches."""
        raw: Any = nn.Module()
        raw.data_preprocessor = model.data_preprocessor
        raw.backbone = RawJoints.like(model.backbone, self.num_frames)
        return raw
