"""The gaps of the released stack, and nothing else.

MMAction2 1.2.0, MMEngine 0.10.7 and the current PyTorch, NumPy and
setuptools do not quite fit together any more. Each function named
``_mend_*`` closes one gap: it first checks that the gap is there and leaves
everything alone otherwise. :func:`apply` runs them all and has to come before
anything of ``mmaction.models`` is imported. Calling it twice is harmless.
That checkpoints do not reload is mended in ``checkpoint_files.py``.
"""
import functools
import importlib
import importlib.metadata
import os
import os.path as osp
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import Any, Callable, Optional

import torch
import torch.distributed as torch_dist
from torch import Tensor, nn

_PACKAGE = 'umurl_mmaction'


def apply() -> None:
    """Close those gaps that the installed versions have."""
    _mend_missing_drn()
    _mend_importlib_metadata()
    _mend_pkg_resources()
    _mend_editable_install()
    _mend_cpu_launchers()
    _mend_cpu_ddp()
    _mend_cpu_sync_batch_norm()
    _mend_cpu_amp()


def _missing(name: str) -> bool:
    """Whether the top-level module ``name`` cannot be imported."""
    return sys.modules.get(name) is None and find_spec(name) is None


def _mmaction_path(*parts: str) -> Optional[str]:
    """A path inside mmaction, found without importing it."""
    if _missing('mmaction'):
        return None
    spec = find_spec('mmaction')
    if spec is None or not spec.submodule_search_locations:
        return None
    return osp.join(list(spec.submodule_search_locations)[0], *parts)


def _mentions(function: Callable, text: str) -> bool:
    """Whether a string literal of ``function`` contains ``text``."""
    return any(
        isinstance(const, str) and text in const
        for const in function.__code__.co_consts)


def _rebind(old: Callable, new: Callable) -> None:
    """Put ``new`` wherever a loaded module holds ``old`` under its name."""
    for module in list(sys.modules.values()):
        names = getattr(module, '__dict__', None)
        if isinstance(names, dict) and names.get(old.__name__) is old:
            names[old.__name__] = new


def _cpu_only() -> bool:
    """Whether MMEngine has found nothing but the CPU to run on."""
    from mmengine.device import get_device
    return get_device() == 'cpu'


# 1. mmaction.models.localizers.drn


class DRN:
    """Stand-in for a model that the release does not contain."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ImportError(
            'DRN is not part of the installed mmaction2: the release on PyPI '
            'lacks mmaction/models/localizers/drn. Install mmaction2 from '
            'its repository to use it.')


def _mend_missing_drn() -> None:
    """Let ``import mmaction.models`` work without the DRN localizer.

    Symptom: ``ModuleNotFoundError: No module named
    'mmaction.models.localizers.drn'``.
    Versions: mmaction2 1.2.0 as released on PyPI; its repository is whole.
    Remove when a release contains the folder.
    """
    folder = _mmaction_path('models', 'localizers', 'drn')
    if folder is None or osp.exists(folder):
        return
    package = 'mmaction.models.localizers.drn'
    if package in sys.modules:
        return
    for name, is_package in ((package, True), (f'{package}.drn', False)):
        spec = ModuleSpec(name, None, is_package=is_package)
        sys.modules[name] = module_from_spec(spec)
    setattr(sys.modules[f'{package}.drn'], 'DRN', DRN)  # noqa: B010
    setattr(sys.modules[package], 'drn',  # noqa: B010
            sys.modules[f'{package}.drn'])


# 2. importlib_metadata


def _mend_importlib_metadata() -> None:
    """Import ``mmaction.utils.dependency`` without ``importlib_metadata``.

    The two names it takes from there are in the standard library too. The
    alias exists for this one import only, so that no other library mistakes
    it for the real package.

    Symptom: ``ModuleNotFoundError: No module named 'importlib_metadata'``
    from ``import mmaction.models``.
    Versions: mmaction2 1.2.0, which does not declare the requirement.
    Remove when mmaction2 declares it or uses ``importlib.metadata``.
    """
    alias, user = 'importlib_metadata', 'mmaction.utils.dependency'
    path = _mmaction_path('utils', 'dependency.py')
    if path is None or user in sys.modules or not _missing(alias):
        return
    if not osp.exists(path):
        return
    importlib.import_module('mmaction.utils')
    sys.modules[alias] = importlib.metadata
    try:
        importlib.import_module(user)
    finally:
        del sys.modules[alias]


# 3. pkg_resources


def _location(dist: importlib.metadata.Distribution) -> str:
    """The folder ``pkg_resources`` calls the location of ``dist``."""
    return osp.realpath(str(dist.locate_file('')))


def is_installed(package: str) -> bool:
    """As :func:`mmengine.utils.is_installed`, without ``pkg_resources``."""
    try:
        importlib.metadata.distribution(package)
        return True
    except importlib.metadata.PackageNotFoundError:
        spec = find_spec(package)
        return spec is not None and spec.origin is not None


def get_installed_path(package: str) -> str:
    """As :func:`mmengine.utils.get_installed_path`, without
    ``pkg_resources``.

    For an unknown package the error is
    :class:`importlib.metadata.PackageNotFoundError`.
    """
    try:
        dist = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        spec = find_spec(package)
        if spec is None:
            raise
        if spec.origin is None:
            raise RuntimeError(
                f'{package} is a namespace package, which is invalid '
                'for `get_install_path`') from None
        return osp.dirname(spec.origin)
    path = osp.join(_location(dist), package)
    if osp.exists(path):
        return path
    return osp.join(_location(dist), package2module(package))


def package2module(package: str) -> str:
    """As ``package2module`` of MMEngine, without ``pkg_resources``."""
    dist = importlib.metadata.distribution(package)
    top_level = dist.read_text('top_level.txt')
    if top_level is None:
        raise ValueError(f'can not infer the module name of {package}')
    return top_level.split('\n')[0]


def _mend_pkg_resources() -> None:
    """Let MMEngine look up packages without ``pkg_resources``.

    Symptom: ``ModuleNotFoundError: No module named 'pkg_resources'`` from
    every config that inherits with ``package::``.
    Versions: mmengine 0.10.7 with setuptools >= 82 (or none at all).
    Remove when mmengine uses ``importlib.metadata``.
    """
    if not _missing('pkg_resources'):
        return
    from mmengine.utils import package_utils
    for new in (is_installed, get_installed_path, package2module):
        old = getattr(package_utils, new.__name__)
        # Their own ones only; they know `pkg_resources` in their bodies.
        if 'pkg_resources' in old.__code__.co_names:
            _rebind(old, new)


# 4. Editable installs


def _lost_by_metadata() -> bool:
    """Whether our package is not where its metadata lies."""
    try:
        dist = importlib.metadata.distribution(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return False
    return not osp.exists(osp.join(_location(dist), _PACKAGE))


def _mend_editable_install() -> None:
    """Let ``get_installed_path`` find this package when it is editable.

    Symptom: ``_base_ = 'umurl_mmaction::...'`` fails on a file that is said
    to be missing in ``site-packages/umurl_mmaction``.
    Versions: mmengine 0.10.7 with ``pip install -e`` as of PEP 660.
    Remove when mmengine asks the module for its place.
    """
    if not _lost_by_metadata():
        return
    from mmengine.utils import package_utils
    old = package_utils.get_installed_path
    if hasattr(old, '__wrapped__'):
        return

    @functools.wraps(old)
    def get_installed_path(package: str) -> str:
        if package.replace('-', '_') == _PACKAGE:
            return osp.dirname(osp.abspath(__file__))
        return old(package)

    _rebind(old, get_installed_path)


# 5. Checkpoints and `weights_only`: see checkpoint_files.py

# 6. Launchers without an accelerator


@contextmanager
def _without_set_device() -> Iterator[None]:
    """Make ``torch.cuda.set_device`` do nothing for a moment."""
    set_device = torch.cuda.set_device
    torch.cuda.set_device = lambda device: None
    try:
        yield
    finally:
        torch.cuda.set_device = set_device


def _on_cpu(init: Callable) -> Callable:
    """Let ``_init_dist_*`` of MMEngine start a group of CPU processes."""

    @functools.wraps(init)
    def init_on_cpu(backend: str, *args: Any, **kwargs: Any) -> None:
        # NCCL is what configs ask for by default, and cannot work here.
        backend = 'gloo' if backend == 'nccl' else backend
        # Else found by a division by the number of GPUs. Any number will do
        # that no other process of the node has.
        if 'SLURM_PROCID' in os.environ:
            os.environ.setdefault('SLURM_LOCALID', os.environ['SLURM_PROCID'])
        with _without_set_device():
            init(backend, *args, **kwargs)

    return init_on_cpu


def _mend_cpu_launchers() -> None:
    """Let ``--launcher pytorch|slurm|mpi`` work on machines without a GPU.

    Symptom: ``torch.cuda.set_device`` fails ("Torch not compiled with CUDA"
    or "no NVIDIA driver") before the process group is started.
    Versions: mmengine 0.10.7.
    Remove when mmengine sets the device only where there is one.
    """
    if not _cpu_only():
        return
    from mmengine.dist import utils
    for name in ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi'):
        init = getattr(utils, name)
        if 'set_device' in init.__code__.co_names:
            setattr(utils, name, _on_cpu(init))


def _without_device_ids(init: Callable) -> Callable:
    """Let DDP wrap a module on the CPU, which has no device ids."""

    @functools.wraps(init)
    def init_on_cpu(self: Any, *args: Any, **kwargs: Any) -> None:
        if 'device_ids' in kwargs:
            kwargs['device_ids'] = None
        init(self, *args, **kwargs)

    return init_on_cpu


def _mend_cpu_ddp() -> None:
    """Let a launched runner wrap its model on machines without a GPU.

    Symptom: ``ValueError: DistributedDataParallel device_ids and
    output_device arguments only work with single-device/multiple-device GPU
    modules or CPU modules``.
    Versions: mmengine 0.10.7, whose runner always gives ``device_ids``.
    Remove when mmengine gives them for GPUs only.
    """
    if not _cpu_only():
        return
    from mmengine.model import MMDistributedDataParallel as Ddp
    if not hasattr(Ddp.__init__, '__wrapped__'):
        Ddp.__init__ = _without_device_ids(Ddp.__init__)


# 7. SyncBatchNorm on the CPU


class _AllReduceSum(torch.autograd.Function):
    """Sum over processes; the gradient is the sum of their gradients.

    ``torch.distributed.nn.functional.all_reduce`` does the same but warns in
    new versions, and its successor is missing in old ones.
    """

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: Any) -> Tensor:
        ctx.group = group
        total = tensor.clone(memory_format=torch.contiguous_format)
        torch_dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        return _AllReduceSum.apply(grad, ctx.group), None


def _update_running_stats(bn: nn.SyncBatchNorm, mean: Tensor, var: Tensor,
                          count: float) -> None:
    """Update the buffers as :class:`nn.BatchNorm1d` does."""
    if (bn.running_mean is None or bn.running_var is None
            or bn.num_batches_tracked is None):
        return
    bn.num_batches_tracked.add_(1)
    factor = bn.momentum
    if factor is None:
        factor = 1 / bn.num_batches_tracked.item()
    unbiased = var.detach() * (count / (count - 1))
    for buffer, new in ((bn.running_mean, mean.detach()),
                        (bn.running_var, unbiased)):
        buffer.mul_(1 - factor).add_(new.to(buffer.dtype), alpha=factor)


def _sync_batch_norm(bn: nn.SyncBatchNorm, inputs: Tensor,
                     group: Any) -> Tensor:
    """Normalize by the statistics of the batches of all processes."""
    dims = [dim for dim in range(inputs.dim()) if dim != 1]
    shape = [1, -1] + [1] * (inputs.dim() - 2)
    # As the kernel for GPUs: half precision is summed up in float32.
    x = inputs.to(torch.promote_types(inputs.dtype, torch.float32))

    count = x.new_tensor([inputs[:, 0].numel()])
    total = _AllReduceSum.apply(torch.cat([x.sum(dims), count]), group)
    count = total[-1].item()
    if count <= 1:
        raise ValueError('Expected more than 1 value per channel when '
                         f'training, got input size {tuple(inputs.shape)}')
    mean = total[:-1] / count
    # The second pass, over centred values, does not cancel digits.
    x = x - mean.view(shape)
    var = _AllReduceSum.apply((x * x).sum(dims), group) / count
    _update_running_stats(bn, mean, var, count)

    x = x * torch.rsqrt(var + bn.eps).view(shape)
    if bn.weight is not None:
        x = x * bn.weight.view(shape)
    if bn.bias is not None:
        x = x + bn.bias.view(shape)
    return x.to(inputs.dtype)


def _also_on_cpu(forward: Callable) -> Callable:
    """Give ``SyncBatchNorm.forward`` a way for tensors on the CPU."""

    @functools.wraps(forward)
    def forward_also_on_cpu(self: nn.SyncBatchNorm, input: Tensor) -> Tensor:
        if (input.device.type != 'cpu' or not self.training
                or not torch_dist.is_available()
                or not torch_dist.is_initialized()):
            return forward(self, input)
        group = self.process_group or torch_dist.group.WORLD
        if torch_dist.get_world_size(group) <= 1:
            return nn.modules.batchnorm._BatchNorm.forward(self, input)
        self._check_input_dim(input)
        return _sync_batch_norm(self, input, group)

    return forward_also_on_cpu


def _not_on_cpu(check: Callable) -> Callable:
    """Keep DDP from refusing ``SyncBatchNorm`` in modules on the CPU."""

    @functools.wraps(check)
    def check_unless_cpu(self: Any, *args: Any, **kwargs: Any) -> None:
        if self.device_type != 'cpu':
            check(self, *args, **kwargs)

    return check_unless_cpu


def _mend_cpu_sync_batch_norm() -> None:
    """Let ``sync_bn='torch'`` of a config work on the CPU.

    Symptom: ``ValueError: SyncBatchNorm expected input tensor to be on
    GPU``, and, from DDP, ``SyncBatchNorm layers only work with GPU modules``.
    Versions: all of torch so far.
    Remove when torch has the kernel for the CPU.
    """
    layer = nn.SyncBatchNorm
    if _mentions(layer.forward, 'expected input tensor to be on'):
        layer.forward = (  # type: ignore[method-assign]
            _also_on_cpu(layer.forward))
    ddp = nn.parallel.DistributedDataParallel
    check = getattr(ddp, '_passing_sync_batchnorm_handle', None)
    if check and _mentions(check, 'only work with GPU modules'):
        ddp._passing_sync_batchnorm_handle = (  # type: ignore[method-assign]
            _not_on_cpu(check))


# 8. AMP on the CPU


def _mend_cpu_amp() -> None:
    """Let ``AmpOptimWrapper`` (``--amp``) run on the CPU, in bfloat16.

    MMEngine's ``autocast`` does so by itself, and the ``GradScaler`` of
    torch switches itself off; only an assertion is in the way. The name that
    is replaced serves nothing but that assertion.

    Symptom: ``AssertionError: AmpOptimizerWrapper is only available training
    on gpu, npu, mlu or musa``.
    Versions: mmengine 0.10.7.
    Remove when mmengine drops the assertion.
    """
    if not _cpu_only():
        return
    from mmengine.optim.optimizer import amp_optimizer_wrapper as module
    init = module.AmpOptimWrapper.__init__
    if ('is_cuda_available' in init.__code__.co_names
            and not module.is_cuda_available()):
        module.is_cuda_available = lambda: True
