"""The machine and the versions of a measurement."""
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import umurl_mmaction


def describe(device: str) -> dict[str, Any]:
    """Describe the machine, its versions and settings, without its name."""
    versions = dict(
        Python=platform.python_version(),
        torch=torch.__version__,
        NumPy=version('numpy'),
        MMEngine=version('mmengine'),
        MMAction2=version('mmaction2'),
        umurl_mmaction=umurl_mmaction.__version__)
    name = 'CPU'
    if device == 'cuda':
        name = torch.cuda.get_device_name()
        versions['CUDA'] = str(torch.version.cuda)
    return dict(
        device=name,
        cpu=_cpu(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        memory_gib=_memory() / 2**30,
        load_average=os.getloadavg() if hasattr(os, 'getloadavg') else None,
        float32_matmul_precision=torch.get_float32_matmul_precision(),
        versions=versions,
        environment={
            variable: value
            for variable, value in sorted(os.environ.items())
            if variable.startswith(('MALLOC_', 'OMP_', 'MKL_'))
        })


def _cpu() -> str:
    path = Path('/proc/cpuinfo')
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(':', 1)[1].strip() for line in lines
             if line.startswith('model name')]
    return names[0] if names else platform.processor() or 'unknown CPU'


def _memory() -> int:
    try:
        return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    except (AttributeError, OSError, ValueError):
        return 0
