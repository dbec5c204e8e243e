"""Time and memory of calls."""
import sys
import time
from collections.abc import Mapping
from typing import Any, Callable

import torch
from mmengine.utils import ProgressBar
from torch.profiler import ProfilerActivity, profile

from umurl_mmaction.progress import bar_file

Call = Callable[[], Any]


def synchronize(device: str) -> None:
    """Wait until the device has finished its work."""
    if device == 'cuda':
        torch.cuda.synchronize()


def seconds_of(call: Call, device: str) -> float:
    """Time a call, including its work on the device."""
    synchronize(device)
    start = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - start


def alternate(calls: Mapping[str, Call],
              rounds: int,
              device: str,
              warmup: int = 1) -> dict[str, list[float]]:
    """Time calls in turn, A B A B, so that a slow minute affects all alike.

    Returns:
        dict[str, list[float]]: The seconds of each round, by name, without
        the rounds of the warm-up.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    bar = ProgressBar(
        (warmup + rounds) * len(calls), file=bar_file(sys.stderr))
    for turn in range(warmup + rounds):
        for name, call in calls.items():
            seconds = seconds_of(call, device)
            if turn >= warmup:
                times[name].append(seconds)
            bar.update()
    print(file=bar_file(sys.stderr))
    return times


def peak_bytes(call: Call, device: str) -> int:
    """Measure the peak memory of a call beyond the memory before it.

    On CUDA, the allocator counts. On the CPU, the function adds up the
    allocations and releases that torch's profiler records; these do not
    include the scratch memory of libraries below torch. A call that keeps
    memory from its first run has to run once before.
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
    """Measure the FLOP/s of the fastest of several square matrix products.

    A multiply-add is 2 FLOPs.
    """
    left, right = torch.randn(2, size, size, device=device).to(dtype)
    out = torch.empty_like(left)
    times = alternate({'matmul': lambda: torch.mm(left, right, out=out)},
                      rounds, device)
    return 2 * size**3 / min(times['matmul'])
