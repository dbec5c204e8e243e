from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor


class AllReduceSum(torch.autograd.Function):
    """Sum a tensor over all ranks, and its gradient too.

    ``torch.distributed.nn.functional.all_reduce`` does the same, but is
    deprecated, and its successor is missing in older versions.
    """

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.clone(memory_format=torch.contiguous_format)
        all_reduce(grad)
        return grad
