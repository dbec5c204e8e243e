from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseDataPreprocessor


@MODELS.register_module()
class SkeletonDataPreprocessor(BaseDataPreprocessor):
    """Moves a batch to the model's device and stacks it, in float32.

    ``inputs`` of N samples may be one array a sample, a list of views, or a
    dict of modality streams; each becomes (N, ...).
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Stack the samples of a batch.

        Args:
            data (dict): ``inputs`` as collated by MMEngine's
                ``pseudo_collate`` (lists of N tensors, in a list or dict for
                views and streams), and ``data_samples``.
            training (bool): Unused. Defaults to False.

        Returns:
            dict: ``data`` with float32 tensors (N, ...) in ``inputs``.
        """
        data = self.cast_data(data)
        return dict(data, inputs=self._stack(data['inputs']))

    def _stack(self, inputs: Any) -> Any:
        if isinstance(inputs, dict):
            return {key: self._stack(value) for key, value in inputs.items()}
        if isinstance(inputs, torch.Tensor):
            return inputs.float()
        if isinstance(inputs[0], torch.Tensor):
            return torch.stack(tuple(inputs)).float()
        return [self._stack(view) for view in inputs]
