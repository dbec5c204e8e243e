"""Each gap fails without its mend, works with it, or needs none."""
import importlib.util
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from conftest import ENVIRONMENT, free_port
from torch.torch_version import TorchVersion

from umurl_mmaction import compat

COMPAT = Path(__file__).parents[1] / 'umurl_mmaction' / 'compat.py'
if not COMPAT.exists():
    COMPAT = Path(compat.__file__)

# Runs before the code of a child process. `hide` makes packages look as if
# they were not installed.
PRELUDE = f'''
import importlib.util, os, sys, warnings
warnings.simplefilter('ignore')


class Hide:

    def __init__(self, finder, names):
        self.finder, self.names = finder, names

    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] not in self.names:
            return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


def hide(*names):
    for name in list(sys.modules):
        if name.partition('.')[0] in names:
            del sys.modules[name]
    sys.meta_path[:] = [Hide(finder, names) for finder in sys.meta_path]


def load_compat(path={str(COMPAT)!r}):
    spec = importlib.util.spec_from_file_location('compat_copy', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def error_of(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except Exception as error:
        return f'{{type(error).__name__}}: {{error}}'
    return ''
'''


def run_python(code, world_size=1, cwd=None):
    """Run ``code`` in fresh processes that see no GPU."""
    env = dict(
        os.environ,
        **ENVIRONMENT,
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(free_port()),
        WORLD_SIZE=str(world_size))
    script = PRELUDE + textwrap.dedent(code)
    children = [
        subprocess.Popen(
            [sys.executable, '-c', script],
            env=dict(env, RANK=str(rank), LOCAL_RANK=str(rank)),
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True) for rank in range(world_size)
    ]
    try:
        outputs = [child.communicate(timeout=100)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    codes = [child.returncode for child in children]
    assert codes == [0] * world_size, '\n'.join(outputs)


def load_copy():
    """Make a second copy of the module, as another import would."""
    spec = importlib.util.spec_from_file_location('compat_copy', COMPAT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def patched_names():
    """Collect all objects that a mend may replace."""
    from mmaction.models.heads import BaseHead
    from mmengine.config import config
    from mmengine.dist import utils as dist_utils
    from mmengine.hub import hub
    from mmengine.model import MMDistributedDataParallel
    from mmengine.optim.optimizer import amp_optimizer_wrapper
    from mmengine.utils import package_utils
    return [
        package_utils.is_installed, package_utils.get_installed_path,
        package_utils.package2module, config.is_installed,
        config.get_installed_path, hub.get_installed_path,
        dist_utils._init_dist_pytorch, dist_utils._init_dist_slurm,
        dist_utils._init_dist_mpi, MMDistributedDataParallel.__init__,
        amp_optimizer_wrapper.is_cuda_available, torch.cuda.set_device,
        BaseHead.loss_by_feat,
        sys.modules.get('importlib_metadata'),
        sys.modules.get('mmaction.models.localizers.drn')
    ]


@pytest.mark.parametrize('copy', [False, True])
def test_apply_again_changes_nothing(copy):
    before = patched_names()
    (load_copy() if copy else compat).apply()
    assert all(a is b for a, b in zip(patched_names(), before))


# 1. and 2. Imports of mmaction

DRN = Path(compat._mmaction_path('models', 'localizers', 'drn'))


def test_mmaction_does_not_import_as_released():
    if DRN.exists():
        pytest.skip('the installed mmaction2 contains drn')
    run_python('''
        hide('importlib_metadata')
        import mmaction.utils
        error = error_of(__import__, 'mmaction.models')
        assert "'mmaction.models.localizers.drn'" in error, error
        error = error_of(__import__, 'mmaction.utils.dependency')
        assert "'importlib_metadata'" in error, error
    ''')


def test_mmaction_imports_after_mends():
    if DRN.exists():
        pytest.skip('the installed mmaction2 contains drn')
    run_python('''
        hide('importlib_metadata')
        load_compat().apply()
        load_compat().apply()
        from mmaction.models.localizers import DRN
        from mmaction.registry import MODELS
        from mmaction.utils import dependency
        assert 'mmaction2' in error_of(DRN)
        assert 'DRN' not in MODELS.module_dict
        assert MODELS.get('BMN') and MODELS.get('RecognizerGCN')
        assert dependency.satisfy_requirement('mmengine>=0.7')
        assert not dependency.satisfy_requirement('no-such-package')
        # The alias is gone.
        assert 'No module' in error_of(__import__, 'importlib_metadata')
    ''')


def test_present_drn_is_left_alone(monkeypatch, tmp_path):
    for name in list(sys.modules):
        if name.startswith('mmaction.models.localizers.drn'):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(compat, '_mmaction_path', lambda *parts: tmp_path)
    compat._mend_missing_drn()
    assert 'mmaction.models.localizers.drn' not in sys.modules


def test_drn_that_nothing_imports_is_not_made(monkeypatch, tmp_path):
    for name in list(sys.modules):
        if name.startswith('mmaction.models.localizers.drn'):
            monkeypatch.delitem(sys.modules, name)
    (tmp_path / '__init__.py').touch()
    monkeypatch.setattr(compat, '_mmaction_path',
                        lambda *parts: tmp_path / parts[-1])
    compat._mend_missing_drn()
    assert 'mmaction.models.localizers.drn' not in sys.modules


def test_present_importlib_metadata_is_left_alone(monkeypatch, tmp_path):
    package = tmp_path / 'importlib_metadata'
    package.mkdir()
    (package / '__init__.py').touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, 'importlib_metadata', raising=False)
    monkeypatch.delitem(
        sys.modules, 'mmaction.utils.dependency', raising=False)
    compat._mend_importlib_metadata()
    assert 'importlib_metadata' not in sys.modules
    assert 'mmaction.utils.dependency' not in sys.modules


# 3. transformers


@pytest.mark.parametrize('version', [4, 5])
def test_vindlu_is_left_out_with_a_transformers_that_moved_its_names(
        tmp_path, version):
    """As version 5 has it: installed, but functions have moved."""
    # Of three, which 4.40 and 4.53 have here, and 4.57 and 5.24 have not.
    moved = 'apply_chunking_to_forward'
    folder = tmp_path / 'transformers'
    folder.mkdir()
    (folder / 'modeling_utils.py').write_text(
        f'from .pytorch_utils import {moved}\n' if version == 4 else '')
    (tmp_path / 'transformers/__init__.py').touch()
    metadata = tmp_path / f'transformers-{version}.30.0.dist-info/METADATA'
    metadata.parent.mkdir()
    metadata.write_text('Metadata-Version: 2.1\nName: transformers\n'
                        f'Version: {version}.30.0\n')
    run_python(f'''
        sys.path.insert(0, {str(tmp_path)!r})
        compat = load_compat()
        compat._mend_missing_drn()
        compat._mend_importlib_metadata()
        from mmaction.utils import dependency
        assert dependency.WITH_MULTIMODAL
        compat._mend_multimodal()
        assert dependency.WITH_MULTIMODAL == ({version} == 4)
        if {version} == 5:
            compat.apply()
            from mmaction.registry import MODELS
            assert 'multi-modal' in error_of(MODELS.get('VindLUVQA'))
    ''')


# 4. pkg_resources


def test_package_look_up_without_pkg_resources(tmp_path):
    (tmp_path / 'namespace_only').mkdir()
    run_python(
        '''
        from mmengine.config import Config, config
        from mmengine.hub import hub
        from mmengine import utils
        from mmengine.utils import package_utils

        sys.path.insert(0, os.getcwd())
        functions = ('is_installed', 'get_installed_path', 'package2module')
        packages = ('mmengine', 'mmaction2', 'mmaction', 'MMAction2', 'torch',
                    'mmaction.apis', 'pip', 'namespace_only', 'no_such')

        def answers():
            result = {}
            for name in functions:
                for package in packages:
                    try:
                        answer = getattr(package_utils, name)(package)
                    except Exception as error:
                        answer = {
                            'DistributionNotFound': 'PackageNotFoundError'
                        }.get(type(error).__name__, type(error).__name__)
                    result[name, package] = answer
            return result

        expected = None
        if importlib.util.find_spec('pkg_resources'):
            expected = answers()
        hide('pkg_resources')
        (Path := __import__('pathlib').Path)('config.py').write_text(
            "_base_ = 'mmaction::_base_/default_runtime.py'")
        error = error_of(package_utils.is_installed, 'mmengine')
        assert "'pkg_resources'" in error, error
        error = error_of(Config.fromfile, 'config.py')
        assert "'pkg_resources'" in error, error

        compat = load_compat()
        compat._mend_pkg_resources()
        for module in (package_utils, utils, config):
            assert module.is_installed is compat.is_installed
        for module in (package_utils, utils, config, hub):
            assert module.get_installed_path is compat.get_installed_path
        assert package_utils.package2module is compat.package2module
        found = answers()
        assert expected in (None, found), (expected, found)
        assert Path(found['get_installed_path', 'mmaction2']).is_dir()
        assert Config.fromfile('config.py').default_scope == 'mmaction'
        ''',
        cwd=tmp_path)


def test_present_pkg_resources_is_left_alone(monkeypatch):
    before = patched_names()
    monkeypatch.setattr(compat, '_missing', lambda name: False)
    compat._mend_pkg_resources()
    assert all(a is b for a, b in zip(patched_names(), before))


# 5. Editable installs


@pytest.mark.parametrize('hidden', ['', 'pkg_resources'])
def test_config_of_editable_package(tmp_path, hidden):
    package = tmp_path / 'repo' / 'umurl_mmaction'
    (package / '.mim' / 'configs' / 'some').mkdir(parents=True)
    (package / '.mim' / 'model-index.yml').write_text('Import: []')
    (package / '.mim' / 'configs' / 'some' / 'base.py').write_text('a = 1')
    shutil.copy(COMPAT, package)
    # PEP 660 leaves this in site-packages.
    info = tmp_path / 'site' / 'umurl_mmaction-0.0.0.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: umurl_mmaction\nVersion: 0.0.0\n')
    (info / 'top_level.txt').write_text('umurl_mmaction\n')
    (tmp_path / 'config.py').write_text(
        "_base_ = 'umurl_mmaction::some/base.py'")
    if not hidden and importlib.util.find_spec('pkg_resources') is None:
        pytest.skip('pkg_resources is not installed')
    run_python(
        f'''
        sys.path.insert(0, os.path.abspath('site'))
        hide({hidden!r})
        from mmengine.config import Config
        from mmengine.config.utils import MODULE2PACKAGE
        from mmengine.utils import get_installed_path, package_utils
        MODULE2PACKAGE.setdefault('umurl_mmaction', 'umurl_mmaction')

        compat = load_compat('repo/umurl_mmaction/compat.py')
        compat._mend_pkg_resources()
        path = package_utils.get_installed_path('umurl_mmaction')
        assert not os.path.exists(path), path
        error = error_of(Config.fromfile, 'config.py')
        assert 'FileNotFoundError' in error, error

        other = package_utils.get_installed_path('mmengine')
        compat._mend_editable_install()
        mended = package_utils.get_installed_path
        compat._mend_pkg_resources()
        compat._mend_editable_install()
        assert package_utils.get_installed_path is mended
        path = mended('umurl_mmaction')
        assert path == os.path.abspath('repo/umurl_mmaction'), path
        assert mended('umurl-mmaction') == path
        assert mended('mmengine') == other
        assert Config.fromfile('config.py').a == 1
        ''',
        cwd=tmp_path)


def test_regular_install_is_left_alone(monkeypatch):
    before = patched_names()
    monkeypatch.setattr(compat, '_lost_by_metadata', lambda: False)
    compat._mend_editable_install()
    assert all(a is b for a, b in zip(patched_names(), before))


# 7. Launchers without an accelerator


def test_launchers_on_cpu():
    run_python('''
        import torch
        import torch.distributed as dist
        from mmengine.dist import all_reduce, init_dist
        set_device = torch.cuda.set_device
        os.environ.update(
            SLURM_PROCID='0', SLURM_NTASKS='1', SLURM_NODELIST='localhost',
            OMPI_COMM_WORLD_LOCAL_RANK='0',
            OMPI_COMM_WORLD_SIZE='1', OMPI_COMM_WORLD_RANK='0')
        launchers = ('pytorch', 'slurm', 'mpi')
        for launcher in launchers:
            error = error_of(init_dist, launcher)
            assert error and not dist.is_initialized()

        load_compat()._mend_cpu_launchers()
        for launcher in launchers:
            init_dist(launcher, backend='nccl', timeout=60)
            assert dist.get_backend() == 'gloo'
            ones = torch.ones(2)
            all_reduce(ones)
            assert ones.tolist() == [1, 1]
            dist.destroy_process_group()
            assert torch.cuda.set_device is set_device
        init_dist('pytorch', backend='gloo')
    ''')


@pytest.mark.skipif(
    not compat._cpu_only(), reason='there is an accelerator to use')
def test_runner_wraps_a_model_on_cpu():
    run_python('''
        import torch
        import torch.distributed as dist
        from mmengine.model import MMDistributedDataParallel
        dist.init_process_group('gloo')
        layer = torch.nn.Linear(2, 2)
        error = error_of(MMDistributedDataParallel, layer, device_ids=[0])
        assert 'device_ids' in error, error
        compat = load_compat()
        compat._mend_cpu_ddp()
        init = MMDistributedDataParallel.__init__
        compat._mend_cpu_ddp()
        assert MMDistributedDataParallel.__init__ is init
        model = MMDistributedDataParallel(layer, device_ids=[0])
        assert model.device_ids is None
        dist.destroy_process_group()
    ''', world_size=1)


def without_mends(monkeypatch):
    """Undo the mends for CPUs."""
    from mmengine.device import is_cuda_available
    from mmengine.dist import utils
    from mmengine.model import MMDistributedDataParallel as Ddp
    from mmengine.optim.optimizer import amp_optimizer_wrapper
    for owner, name in ((utils, '_init_dist_pytorch'),
                        (utils, '_init_dist_slurm'),
                        (utils, '_init_dist_mpi'), (Ddp, '__init__')):
        mended = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, getattr(mended, '__wrapped__', mended))
    monkeypatch.setattr(
        amp_optimizer_wrapper, 'is_cuda_available', is_cuda_available)


def test_accelerator_keeps_everything_untouched(monkeypatch):
    without_mends(monkeypatch)
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cuda')
    before = patched_names()
    compat.apply()
    assert all(a is b for a, b in zip(patched_names(), before))
    # On the CPU, the same call replaces them.
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cpu')
    compat._mend_cpu_launchers()
    compat._mend_cpu_ddp()
    changed = [a for a, b in zip(patched_names(), before) if a is not b]
    assert len(changed) == 4


def test_runner_without_device_ids_keeps_ddp(monkeypatch):

    def wrap_model(self, model_wrapper_cfg, model):
        """Stand for an MMEngine that passes no device ids."""

    without_mends(monkeypatch)
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cpu')
    monkeypatch.setattr('mmengine.runner.Runner.wrap_model', wrap_model)
    before = patched_names()
    compat._mend_cpu_ddp()
    assert all(a is b for a, b in zip(patched_names(), before))


def test_import_changes_nothing_on_a_gpu_stack():
    """All functions and methods of torch and MMEngine stay the same.

    The exceptions are the look-ups of packages: their gaps do not depend on
    the device.
    """
    run_python('''
        import inspect
        import types
        import torch
        torch.cuda.is_available = lambda: True
        torch.cuda.get_device_capability = lambda *args: (9, 0)
        # It replaces `torch.manual_seed` when it is first imported.
        import torch._dynamo
        import torch.distributed
        import mmengine
        import mmengine.hub
        from mmengine.device import get_device
        from mmengine.optim import AmpOptimWrapper
        from mmengine.registry import root
        from mmengine.runner import Runner
        assert get_device() == 'cuda'

        def functions():
            """Collect functions by owner and name."""
            found = {}
            for module in list(sys.modules.values()):
                name = getattr(module, '__name__', '')
                if name.partition('.')[0] not in ('torch', 'mmengine'):
                    continue
                for key, value in list(vars(module).items()):
                    if isinstance(value, types.FunctionType):
                        found[name, key] = value
                    if inspect.isclass(value):
                        for method, function in list(vars(value).items()):
                            if isinstance(function, types.FunctionType):
                                found[value, method] = function
            return found

        registered = {name: dict(registry.module_dict)
                      for name, registry in vars(root).items()
                      if isinstance(registry, mmengine.Registry)}
        before = functions()
        import umurl_mmaction
        after = functions()
        changed = {key[1] for key in before
                   if key in after and before[key] is not after[key]}
        allowed = {'is_installed', 'get_installed_path', 'package2module'}
        if importlib.util.find_spec('pkg_resources'):
            allowed = {'get_installed_path'}
        for name, modules in registered.items():
            now = getattr(root, name).module_dict
            assert all(now[key] is modules[key] for key in modules), name
        from mmaction.registry import OPTIM_WRAPPERS
        assert OPTIM_WRAPPERS.get('AmpOptimWrapper') is AmpOptimWrapper
        # fileio/checkpoints.py: a checkpoint's config is not run.
        allowed.add('load_checkpoint')
        assert changed <= allowed, changed
    ''')


def test_config_with_amp_trains_on_cpus(tmp_path):
    """A stock tool meets the gaps 6 and 7 at once."""
    run_python(
        '''
        import gc
        import torch
        from mmengine.config import Config
        from mmengine.model import BaseModel
        from mmengine.registry import DATASETS, MODELS
        from mmengine.runner import Runner
        import torch.distributed as dist
        from umurl_mmaction.models.layers.sync_batch_norm import (
            SyncBatchNorm1d)

        @DATASETS.register_module()
        class Numbers(torch.utils.data.Dataset):
            def __len__(self):
                return 8
            def __getitem__(self, index):
                return dict(inputs=torch.full((4, ), float(index)))

        @MODELS.register_module()
        class Tiny(BaseModel):
            def __init__(self):
                super().__init__()
                self.bn = SyncBatchNorm1d(4)
                self.linear = torch.nn.Linear(4, 2)
            def forward(self, inputs, mode='tensor'):
                return dict(loss=self.linear(
                    self.bn(torch.stack(inputs))).square().mean())

        runner = Runner.from_cfg(Config(dict(
            model=dict(type='Tiny'), work_dir='.', launcher='pytorch',
            env_cfg=dict(dist_cfg=dict(backend='nccl')),
            train_dataloader=dict(
                dataset=dict(type='Numbers'), batch_size=2,
                sampler=dict(type='DefaultSampler', shuffle=False)),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(
                type='AmpOptimWrapper',
                optimizer=dict(type='SGD', lr=0.1)))))
        assert dist.get_backend() == 'gloo'
        model = runner.train().module
        # One process has 0, 2, ..., the other 1, 3, ...
        mean = model.bn.running_mean
        expected = torch.full((4, ), 0.1 * 5.5 + 0.9 * 0.1 * 1.5)
        assert torch.allclose(mean, expected), (mean, expected)
        weights = [torch.empty_like(model.linear.weight) for _ in range(2)]
        dist.all_gather(weights, model.linear.weight.detach())
        assert torch.equal(*weights)
        # A DDP model that outlives its process group may wait forever.
        del model, runner
        gc.collect()
        dist.barrier()
        dist.destroy_process_group()
        ''',
        world_size=2,
        cwd=tmp_path)


# 8. AMP on the CPU


@pytest.mark.skipif(
    not compat._cpu_only(), reason='there is an accelerator to use')
def test_amp_on_cpu(monkeypatch):
    from mmengine.device import is_cuda_available
    from mmengine.optim import AmpOptimWrapper
    from mmengine.optim.optimizer import amp_optimizer_wrapper
    monkeypatch.setattr(
        amp_optimizer_wrapper, 'is_cuda_available', is_cuda_available)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(AssertionError, match='only available training'):
        AmpOptimWrapper(optimizer=optimizer)

    compat._mend_cpu_amp()
    for loss_scale in ('dynamic', 512., dict(init_scale=2.)):
        wrapper = AmpOptimWrapper(
            loss_scale=loss_scale,
            optimizer=optimizer,
            clip_grad=dict(max_norm=1))
        weight = model.weight.clone()
        with wrapper.optim_context(model):
            out = model(torch.ones(1, 2))
        assert out.dtype == torch.bfloat16
        wrapper.update_params(out.float().square().sum())
        assert not torch.equal(weight, model.weight)
        state = wrapper.state_dict()
        assert state['loss_scaler'] == {}
        wrapper.load_state_dict(state)

    # Operations that autocast does not support remain errors.
    wrapper = AmpOptimWrapper(dtype='float16', optimizer=optimizer)
    with pytest.raises(AssertionError, match='bfloat16'):
        with wrapper.optim_context(model):
            pass


# 9. Scores in bfloat16


def test_stock_head_trains_in_bfloat16():
    from mmaction.models.heads import GCNHead
    from mmaction.structures import ActionDataSample
    torch.manual_seed(0)
    head = GCNHead(5, 8)
    samples = [ActionDataSample().set_gt_label(v) for v in range(4)]
    scores = torch.randn(4, 5).bfloat16()
    losses = head.loss_by_feat(scores, samples)
    wanted = head.loss_by_feat(scores.float(), samples)
    assert losses['loss_cls'].dtype == torch.float32
    assert all(torch.equal(losses[key], wanted[key]) for key in wanted)
    stock = type(head).loss_by_feat.__wrapped__
    with pytest.raises(TypeError, match='BFloat16'):
        stock(head, scores, samples)
    half = stock(head, scores.half(), samples)
    kept = head.loss_by_feat(scores.half(), samples)
    assert all(torch.equal(kept[key], half[key]) for key in half)


# 10. Compiled steps under AMP


def test_a_compiled_step_under_amp(monkeypatch):
    from mmengine.runner import amp
    from mmengine.utils import digit_version

    def step(x):
        with amp.autocast(device_type='cpu', dtype=torch.bfloat16):
            return x @ x

    def compiled(x):
        torch.compiler.reset()
        return torch.compile(step, backend='eager')(x)

    x = torch.randn(4, 4)
    monkeypatch.setattr(amp, 'digit_version', digit_version)
    if torch.__version__ < (2, 13):
        with pytest.raises(Exception, match='digit_version'):
            compiled(x)
    else:
        compiled(x)
        compat._mend_compiled_amp()
        assert amp.digit_version is digit_version
        monkeypatch.setattr(torch, '__version__', TorchVersion('2.11.0+cu130'))

    compat._mend_compiled_amp()
    mended = amp.digit_version
    for version in (torch.__version__, '1.5.0', '1.10.0', '3.1'):
        assert mended(version) == digit_version(version)
    assert compiled(x).dtype == torch.bfloat16
    assert torch.equal(compiled(x), step(x))
    # A second mend finds nothing to do.
    compat._mend_compiled_amp()
    assert amp.digit_version is mended
