"""Models and datasets without their wrappers."""
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def bare_model(runner: Runner) -> Any:
    """Return the runner's model without a wrapper such as DDP."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model


def bare_dataset(dataset: Any) -> Any:
    """Return the dataset within wrappers such as ``RepeatDataset``."""
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    return dataset
