from typing import Any, Optional, Union

import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper


def fast_dtype(device: str) -> Optional[str]:
    """The half precision that a device computes in.

    Args:
        device (str): As MMEngine's ``get_device`` gives it.

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


# Under MMEngine's name: `--amp` of the stock tools takes no other, and a
# config goes back to full precision by `type='OptimWrapper'` alone.
@OPTIM_WRAPPERS.register_module(name='AmpOptimWrapper')
class AutoAmpOptimWrapper(AmpOptimWrapper):
    """MMEngine's mixed precision, in the type that the device is fast in.

    Args:
        dtype (str | torch.dtype, optional): As in ``AmpOptimWrapper``, but
            None takes bfloat16, which needs no loss scaling, where the device
            has it, and float16 with scaling elsewhere.
        loss_scale (str | float | dict): As in ``AmpOptimWrapper``. Defaults
            to ``'dynamic'``.
        kwargs: The other arguments of ``AmpOptimWrapper``.
    """

    def __init__(self,
                 dtype: Union[str, torch.dtype, None] = None,
                 loss_scale: Union[str, float, dict] = 'dynamic',
                 **kwargs: Any) -> None:
        if dtype is None:
            dtype = fast_dtype(get_device())
            if dtype in ('bfloat16', 'float32'):
                loss_scale = dict(enabled=False)
        super().__init__(dtype=dtype, loss_scale=loss_scale, **kwargs)
