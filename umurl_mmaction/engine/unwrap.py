"""The model of a runner, without the wrapper of distributed training."""
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def bare_model(runner: Runner) -> Any:
    """Return the runner's model without its wrapper.

    Args:
        runner (Runner): A runner whose model is built. The model may be in a
            wrapper, such as ``MMDistributedDataParallel``.

    Returns:
        nn.Module: The model that the config describes.
    """
    model = runner.model
    return model.module if is_model_wrapper(model) else model
