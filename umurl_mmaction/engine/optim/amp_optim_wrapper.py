from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union

import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from ...registry import SCOPE


def fast_dtype(device: str) -> Optional[str]:
    """Choose the dtype that a device computes fastest in.

    Args:
        device (str): The result of MMEngine's ``get_device``.

    Returns:
        str | None: ``'bfloat16'`` where the hardware has it; else
        ``'float16'`` on CUDA and ``'float32'`` (no autocast) on CPUs. None,
        the backend's own choice, on other devices.
    """
    if device == 'cuda':
        # `is_bf16_supported` counts GPUs that only emulate it.
        new = torch.cuda.get_device_capability() >= (8, 0)
        return 'bfloat16' if new else 'float16'
    if device == 'cpu':
        native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return 'bfloat16' if native else 'float32'
    return None


# Only the child scope gets it: other configs of the process keep MMEngine's.
# The name stays, because `--amp` of MMAction2's tools takes no other one.
@OPTIM_WRAPPERS.children[SCOPE].register_module(name='AmpOptimWrapper')
class AutoAmpOptimWrapper(AmpOptimWrapper):
    """MMEngine's mixed precision, in the dtype that suits the device best.

    A config names it with
    ``dict(type='AmpOptimWrapper', _scope_='umurl_mmaction', ...)``.

    Args:
        dtype (str | torch.dtype, optional): Defaults to None: the choice of
            :func:`fast_dtype`.
        loss_scale (str | float | dict, optional): Defaults to None: no
            scaling in bfloat16 and float32, whose range holds small
            gradients, else ``'dynamic'``.
        kwargs: The other arguments of MMEngine's ``AmpOptimWrapper``.
    """

    def __init__(self,
                 dtype: Union[str, torch.dtype, None] = None,
                 loss_scale: Union[str, float, dict, None] = None,
                 **kwargs: Any) -> None:
        if dtype is None:
            dtype = fast_dtype(get_device())
        if loss_scale is None:
            unscaled = dtype in ('bfloat16', 'float32', torch.bfloat16,
                                 torch.float32)
            loss_scale = dict(enabled=False) if unscaled else 'dynamic'
        super().__init__(dtype=dtype, loss_scale=loss_scale, **kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute in ``dtype``; MMEngine refuses float32 on CPUs."""
        context = (
            OptimWrapper.optim_context(self, model)
            if self.cast_dtype is torch.float32 else
            super().optim_context(model))
        with context:
            yield
