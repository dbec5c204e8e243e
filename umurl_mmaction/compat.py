"""Fixes for gaps between the released versions of the dependencies.

MMAction2 1.2.0, MMEngine 0.10.7 and the current PyTorch and setuptools do
not fit together. Each function ``_mend_*`` closes one gap, and changes nothing
if the installed versions do not have it; the mends for CPUs change nothing on
a machine with a GPU. :func:`apply` runs all of them, and must run before
``mmaction.models`` is imported. ``fileio/checkpoints.py`` mends the loading of
checkpoints.
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
from pathlib import Path
from typing import Any, Callable, Optional

import torch

_PACKAGE = 'umurl_mmaction'


def apply() -> None:
    """Close the gaps of the installed versions; a second call does nothing."""
    _mend_missing_drn()
    _mend_importlib_metadata()
    _mend_multimodal()
    _mend_pkg_resources()
    _mend_editable_install()
    _mend_cpu_launchers()
    _mend_cpu_ddp()
    _mend_cpu_amp()
    _mend_bfloat16_scores()
    _mend_compiled_amp()


def _missing(name: str) -> bool:
    """Tell whether the top-level module ``name`` cannot be imported."""
    return sys.modules.get(name) is None and find_spec(name) is None


def _mmaction_path(*parts: str) -> Optional[str]:
    """Return a path inside mmaction without importing it."""
    spec = find_spec('mmaction')
    if spec is None or not spec.submodule_search_locations:
        return None
    return osp.join(list(spec.submodule_search_locations)[0], *parts)


def _source(*parts: str) -> str:
    """Return the text of a file of mmaction; '' if there is none."""
    path = _mmaction_path(*parts)
    if path is None or not osp.exists(path):
        return ''
    with open(path, encoding='utf-8') as file:
        return file.read()


def _passes(function: Callable, argument: str) -> bool:
    """Tell whether ``function`` calls something with this keyword."""
    return any(
        isinstance(names, tuple) and argument in names
        for names in function.__code__.co_consts)


def _rebind(old: Callable, new: Callable) -> None:
    """Replace ``old`` by ``new`` in every loaded module."""
    for module in list(sys.modules.values()):
        names = getattr(module, '__dict__', None)
        if isinstance(names, dict) and names.get(old.__name__) is old:
            names[old.__name__] = new


def _cpu_only() -> bool:
    """Tell whether MMEngine finds no device but the CPU."""
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
    Versions: mmaction2 1.2.0 on PyPI; its repository has the folder.
    Remove when a release has it.
    """
    folder = _mmaction_path('models', 'localizers', 'drn')
    if folder is None or osp.exists(folder):
        return
    if 'from .drn' not in _source('models', 'localizers', '__init__.py'):
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

    The standard library has the same functions. The alias exists during this
    import only, so that no other library takes it for the real package.

    Symptom: ``ModuleNotFoundError: No module named 'importlib_metadata'``
    from ``import mmaction.models``.
    Versions: mmaction2 1.2.0, which does not declare the requirement.
    Remove when mmaction2 declares it or uses ``importlib.metadata``.
    """
    alias, user = 'importlib_metadata', 'mmaction.utils.dependency'
    if user in sys.modules or not _missing(alias):
        return
    if alias not in _source('utils', 'dependency.py'):
        return
    importlib.import_module('mmaction.utils')
    sys.modules[alias] = importlib.metadata
    try:
        importlib.import_module(user)
    finally:
        del sys.modules[alias]


# 3. transformers


def _mend_multimodal() -> None:
    """Leave out MMAction2's VindLU where transformers lacks what it imports.

    MMAction2 leaves it out where transformers is not installed, and takes any
    version since 4.28, but later ones have moved three functions, together.

    Symptom: ``ImportError: cannot import name 'apply_chunking_to_forward'
    from 'transformers.modeling_utils'`` from ``import mmaction.models``.
    Versions: mmaction2 1.2.0 with transformers 4.57 and 5.
    Remove when mmaction2 imports them from where they are.
    """
    folder = _mmaction_path('models', 'multimodal', 'vindlu')
    spec = find_spec('transformers')
    roots = list(spec.submodule_search_locations or []) if spec else []
    if ('mmaction.models.multimodal' in sys.modules or folder is None
            or not roots):
        return
    # Read in the sources: importing transformers takes seconds.
    imports, has = (
        path.is_file()
        and 'apply_chunking_to_forward' in path.read_text(encoding='utf-8')
        for path in (Path(folder, 'modeling_bert.py'),
                     Path(roots[0], 'modeling_utils.py')))
    if has or not imports:
        return
    module = importlib.import_module('mmaction.utils.dependency')
    if hasattr(module, 'WITH_MULTIMODAL'):
        setattr(module, 'WITH_MULTIMODAL', False)  # noqa: B010


# 4. pkg_resources


def _location(dist: importlib.metadata.Distribution) -> str:
    """Return the folder in which ``dist`` is installed."""
    return osp.realpath(str(dist.locate_file('')))


def is_installed(package: str) -> bool:
    """Replace MMEngine's function; tell whether a package is installed."""
    try:
        importlib.metadata.distribution(package)
        return True
    except importlib.metadata.PackageNotFoundError:
        spec = find_spec(package)
        return spec is not None and spec.origin is not None


def get_installed_path(package: str) -> str:
    """Replace MMEngine's function; return the folder of a package.

    Raises:
        importlib.metadata.PackageNotFoundError: If it is not installed.
        RuntimeError: If it is a namespace package, which has no folder.
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
    """Replace MMEngine's function; name the first module of a distribution.

    Raises:
        ValueError: If its metadata name no module.
    """
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
        # A later release may have functions that do not import it.
        if 'pkg_resources' in old.__code__.co_names:
            _rebind(old, new)


# 5. Editable installs


def _lost_by_metadata() -> bool:
    """Tell whether our package is not in the folder of its metadata."""
    try:
        dist = importlib.metadata.distribution(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return False
    return not osp.exists(osp.join(_location(dist), _PACKAGE))


def _mend_editable_install() -> None:
    """Let ``get_installed_path`` find an editable install of this package.

    Symptom: ``_base_ = 'umurl_mmaction::...'`` reports a missing file in
    ``site-packages/umurl_mmaction``.
    Versions: mmengine 0.10.7 with ``pip install -e`` as of PEP 660.
    Remove when mmengine asks the module for its path.
    """
    if not _lost_by_metadata():
        return
    from mmengine.utils import package_utils
    old = package_utils.get_installed_path
    if osp.exists(old(_PACKAGE)):
        return

    @functools.wraps(old)
    def get_installed_path(package: str) -> str:
        if package.replace('-', '_') == _PACKAGE:
            return osp.dirname(osp.abspath(__file__))
        return old(package)

    _rebind(old, get_installed_path)


# 6. Checkpoints and `weights_only`: see fileio/checkpoints.py

# 7. Launchers without an accelerator


@contextmanager
def _without_set_device() -> Iterator[None]:
    """Disable ``torch.cuda.set_device`` temporarily."""
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
        # NCCL, the default of configs, needs GPUs.
        backend = 'gloo' if backend == 'nccl' else backend
        # MMEngine would divide by the number of GPUs, which is 0. Any number
        # works that no other process of the node has.
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
    Versions: mmengine 0.10.7, which always passes ``device_ids``.
    Remove when mmengine passes them for GPUs only.
    """
    if not _cpu_only():
        return
    from mmengine.model import MMDistributedDataParallel as Ddp
    from mmengine.runner import Runner
    if (_passes(Runner.wrap_model, 'device_ids')
            and not hasattr(Ddp.__init__, '__wrapped__')):
        Ddp.__init__ = _without_device_ids(Ddp.__init__)


# 8. AMP on the CPU


def _mend_cpu_amp() -> None:
    """Let ``AmpOptimWrapper`` (``--amp``) run on the CPU, in bfloat16.

    MMEngine's ``autocast`` supports CPUs, and torch's ``GradScaler`` disables
    itself there. Only an assertion forbids it, and nothing but that assertion
    uses the replaced function.

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


# 9. Scores in bfloat16


def _in_float32(loss_by_feat: Callable) -> Callable:
    """Give ``loss_by_feat`` scores in float32 for those in bfloat16."""

    @functools.wraps(loss_by_feat)
    def loss(self: Any, cls_scores: torch.Tensor, *args: Any,
             **kwargs: Any) -> dict:
        if cls_scores.dtype == torch.bfloat16:
            cls_scores = cls_scores.float()
        return loss_by_feat(self, cls_scores, *args, **kwargs)

    return loss


def _mend_bfloat16_scores() -> None:
    """Let MMAction2's classification heads train in bfloat16.

    Symptom: ``TypeError: Got unsupported ScalarType BFloat16`` in
    ``BaseHead.loss_by_feat``, which counts hits in NumPy.
    Versions: mmaction2 1.2.0.
    Remove when mmaction2 widens the scores itself.
    """
    from mmaction.models.heads.base import BaseHead
    loss = BaseHead.loss_by_feat
    if 'numpy' in loss.__code__.co_names and not hasattr(loss, '__wrapped__'):
        BaseHead.loss_by_feat = _in_float32(loss)


# 10. Compiled steps under AMP


def _mend_compiled_amp() -> None:
    """Let torch compile a step under AMP (``compile = True``).

    MMEngine's ``autocast`` parses versions at every call, and torch 2.11
    cannot trace what the parser of packaging 26 raises; 2.13 can, those
    between were not seen. The versions asked for are parsed here, once.

    Symptom: ``InternalTorchDynamoError: ... has no attribute 'call_setattr'``
    in ``digit_version``.
    Versions: torch 2.11 with mmengine 0.10.7 and packaging 26.3.
    Remove when torch 2.13 is the oldest that is supported.
    """
    if torch.__version__ >= '2.13':  # it compares as a version
        return
    from mmengine.runner import amp
    from mmengine.utils import digit_version as stock
    if amp.digit_version is not stock:
        return
    known = {
        version: stock(version)
        for version in (amp.TORCH_VERSION, '1.5.0', '1.10.0')
    }

    def digit_version(version: str) -> tuple:
        return known[version] if version in known else stock(version)

    amp.digit_version = digit_version
