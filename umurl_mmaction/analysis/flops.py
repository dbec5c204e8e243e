from typing import Any, Callable


def count_flops(run: Callable[[], Any]) -> int:
    """FLOPs of the matrix products of a call, forward and backward.

    Args:
        run (Callable): Called once. Under ``FakeTensorMode`` it takes no
            time.

    Returns:
        int: A multiply-add counts as 2.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # The counter does not know each backend's fused attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(
            SDPBackend.MATH):
        run()
    return counter.get_total_flops()
