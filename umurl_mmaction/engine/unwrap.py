from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner



def bare_model(runner: Runner) -> Any:
    """The runner's model without a wrapper for distributed training."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
