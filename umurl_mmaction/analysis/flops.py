"""FLOPs, counted from the shapes of matrix products."""
from typing import Any, Callable


def count_flops(run: Callable[[], Any]) -> int:
    """Count the FLOPs of a call's matrix products, forward and backward.

    A multiply-add counts as 2. Under ``FakeTensorMode`` the call takes almost
    no time.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # The counter does not know the fused attention of every backend.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(
            SDPBackend.MATH):
        run()
    return counter.get_total_flops()


def count_params(module: Any) -> int:
    """Count the parameters of a module."""
    return sum(p.numel() for p in module.parameters())
