import torch
from mmengine.dist import get_default_group, get_world_size
from torch import Tensor, nn
from torch.nn.modules._functions import SyncBatchNorm as TorchSyncBatchNorm
from torch.nn.modules.batchnorm import _BatchNorm

from .all_reduce import AllReduceSum


class _SyncBatchNorm(_BatchNorm):
    """Batch norm over the batches of all ranks, on CPUs and GPUs.

    In training mode, outputs, gradients and running statistics equal those of
    one process with the batches of all ranks, which may differ in size. In
    eval mode, and with one process, the layer is torch's. It has the
    arguments and the state dict of torch's layer.

    On CUDA it runs the kernels of ``nn.SyncBatchNorm``, which does not work
    on CPUs.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalize a rank's batch by the statistics of all batches.

        Args:
            input (Tensor): (N, C, ...) as torch's layer takes, floating
                point; N may be 0. On CUDA, torch gives such a rank no
                gradients, where the others have theirs.

        Returns:
            Tensor: Same shape and dtype as ``input``.

        Raises:
            ValueError: If the batches of all ranks together have fewer than
                two values per channel; on CUDA, only with one process.
        """
        world_size = get_world_size()
        if not self.training or world_size == 1:
            return super().forward(input)
        self._check_input_dim(input)
        momentum = self._count_batch()
        if input.is_cuda:
            return TorchSyncBatchNorm.apply(
                input, self.weight, self.bias, self.running_mean,
                self.running_var, self.eps, momentum, get_default_group(),
                world_size)
        return self._normalize(input, momentum)

    def _count_batch(self) -> float:
        """Count the batch; return its weight in the running statistics."""
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                return 1 / self.num_batches_tracked.item()
        return self.momentum or 0.

    def _normalize(self, input: Tensor, momentum: float) -> Tensor:
        """Compute the layer from two all-reduces.

        With n values per channel on all ranks together::

            mean = all_reduce(sum(x)) / n
            var = all_reduce(sum((x - mean)**2)) / n
            y = (x - mean) / sqrt(var + eps) * weight + bias
        """
        dims = [dim for dim in range(input.dim()) if dim != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        # Like the kernels for CUDA, sum half precision in float32.
        x = input.to(torch.promote_types(input.dtype, torch.float32))

        count = x.new_tensor([input[:, 0].numel()])
        total = AllReduceSum.apply(torch.cat([x.sum(dims), count]))
        num_values = total[-1].item()
        if num_values <= 1:
            raise ValueError('Expected more than 1 value per channel when '
                             f'training, got input size {tuple(input.shape)}')
        mean = total[:-1] / num_values
        # A second pass, over centred values, is more precise.
        x = x - mean.view(shape)
        var = AllReduceSum.apply((x * x).sum(dims)) / num_values
        if self.running_mean is not None and self.running_var is not None:
            unbiased = var.detach() * (num_values / (num_values - 1))
            _move_towards(self.running_mean, mean.detach(), momentum)
            _move_towards(self.running_var, unbiased, momentum)

        x = x * torch.rsqrt(var + self.eps).view(shape)
        if self.weight is not None:
            x = x * self.weight.view(shape)
        if self.bias is not None:
            x = x + self.bias.view(shape)
        return x.to(input.dtype)


class SyncBatchNorm1d(_SyncBatchNorm, nn.BatchNorm1d):
    """Synchronised ``nn.BatchNorm1d``: (N, C) or (N, C, L) -> same."""


class SyncBatchNorm2d(_SyncBatchNorm, nn.BatchNorm2d):
    """Synchronised ``nn.BatchNorm2d``: (N, C, H, W) -> same."""


_SYNCHRONIZED: dict[type, type] = {
    nn.BatchNorm1d: SyncBatchNorm1d,
    nn.BatchNorm2d: SyncBatchNorm2d
}


def synchronize_batch_norms(model: nn.Module) -> None:
    """Synchronise the batch norms of a model that was built without it.

    They keep their weights, statistics and places.

    Args:
        model (nn.Module): Changed in place.
    """
    for module in model.modules():
        if type(module) in _SYNCHRONIZED:
            # The layers differ in `forward` alone.
            module.__class__ = _SYNCHRONIZED[type(module)]


def _move_towards(average: Tensor, new: Tensor, momentum: float) -> None:
    """Update a moving average in place."""
    average.mul_(1 - momentum).add_(new.to(average.dtype), alpha=momentum)
