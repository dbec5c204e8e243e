"""Times and memory of calls."""
import sys
import time
from collections.abc import Mapping
from typing import Any, Callable

import torch
from mmengine.utils import ProgressBar
from torch.profiler import ProfilerActivity, profile

Call = Callable[[], Any]


def synchronize(device: str) -> None:
    """Wait for what the device was given to do."""
    if device == 'cuda':
        torch.cuda.synchronize()


def seconds_of(call: Call, device: str) -> float:
    """The time that a call takes, on the device too."""
    synchronize(device)
    start = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - start


def alternate(calls: Mapping[str, Call],
              rounds: int,
              device: str,
              warmup: int = 1) -> dict[str, list[float]]:
    """Time calls in turn, A B A B, so that a slow minute hits all alike.

    Args:
        calls (dict[str, Callable]): What to time, by name.
        rounds (int): Times of each.
        device (str): ``'cpu'`` or ``'cuda'``.
        warmup (int): Untimed rounds before. Defaults to 1.

    Returns:
        dict[str, list[float]]: Seconds, by name.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    bar = ProgressBar((warmup + rounds) * len(calls), file=sys.stderr)
    for turn in range(warmup + rounds):
        for name, call in calls.items():
            seconds = seconds_of(call, device)
            if turn >= warmup:
                times[name].append(seconds)
            bar.update()
    print(file=sys.stderr)
    return times


def peak_bytes(call: Call, device: str) -> int:
    """The most memory that a call holds beyond what there was before.

    On CUDA by the allocator's own count. On the CPU the allocations and
    releases that torch's profiler records, added up in their order; scratch
    memory of the libraries below torch is not among them.

    Args:
        call (Callable): Runs once; called before, if it keeps something.
        device (str): ``'cpu'`` or ``'cuda'``.

    Returns:
        int: Bytes.
    """
    if device == 'cuda':
        synchronize(device)
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        synchronize(device)
        return torch.cuda.max_memory_allocated() - before
    with profile(
            activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        call()
    events = [
        event for event in record.profiler.kineto_results.events()
        if event.name() == '[memory]'
    ]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def matmul_peak(size: int, dtype: torch.dtype, device: str,
                rounds: int) -> float:
    """FLOP/s of a product of two square matrices, a multiply-add being 2.

    Args:
        size (int): Rows and columns.
        dtype (torch.dtype): Of both and of the product.
        device (str): ``'cpu'`` or ``'cuda'``.
        rounds (int): Timed products, of which the fastest counts.

    Returns:
        float: FLOP/s.
    """
    left, right = torch.randn(2, size, size, device=device).to(dtype)
    out = torch.empty_like(left)
    times = alternate({'matmul': lambda: torch.mm(left, right, out=out)},
                      rounds, device)
    return 2 * size**3 / min(times['matmul'])
