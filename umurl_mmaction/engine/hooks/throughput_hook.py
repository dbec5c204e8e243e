import sys
from typing import Any, Optional

from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Log the clips per second over all ranks, and the memory on CPUs.

    MMEngine itself logs the time of an iteration and the memory of GPUs.
    """

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Add ``clips_per_s``, and on CPUs the peak ``memory`` in MiB."""
        hub = runner.message_hub
        # The last batch of an epoch may be smaller.
        clips = len(data_batch['data_samples']) * dist.get_world_size()
        seconds = hub.get_scalar('train/time').current()
        hub.update_scalar('train/clips_per_s', clips / seconds)
        if get_device() == 'cpu' and sys.platform != 'win32':
            import resource
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            # Linux counts KiB, macOS bytes.
            unit = 2**20 if sys.platform == 'darwin' else 2**10
            hub.update_scalar('train/memory', used // unit)
