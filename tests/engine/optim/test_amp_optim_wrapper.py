"""Mixed precision: ours in our configs, MMEngine's in all others."""
import importlib.util
from argparse import Namespace
from pathlib import Path

import mmaction
import pytest
import torch
from conftest import REPO
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope

from umurl_mmaction.engine.optim import AutoAmpOptimWrapper, amp_optim_wrapper
from umurl_mmaction.engine.optim.amp_optim_wrapper import fast_dtype

PRETRAIN = 'configs/umurl/pretrain/umurl_1xb64_synthetic.py'
LINEAR = 'configs/umurl/linear/umurl-linear_synthetic.py'
SCHEDULES = REPO / 'configs/_base_/schedules'
OURS = dict(type='AmpOptimWrapper', _scope_='umurl_mmaction')


@pytest.fixture(autouse=True)
def scalers(monkeypatch):
    """Settings of the loss scalers that are made; bfloat16 is fast."""
    settings = []

    def scaler(**kwargs):
        settings.append(kwargs)
        return torch.amp.GradScaler('cpu', **kwargs)

    monkeypatch.setattr(f'{AmpOptimWrapper.__module__}.GradScaler', scaler)
    monkeypatch.setattr(amp_optim_wrapper, 'fast_dtype',
                        lambda device: 'bfloat16')
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield settings


def build(cfg):
    """Build as a runner does."""
    cfg = dict(dict(optimizer=dict(type='SGD', lr=0.1)), **cfg)
    return build_optim_wrapper(torch.nn.Linear(2, 2), cfg)


def test_other_configs_keep_the_class_of_mmengine():
    wrapper = build(dict(type='AmpOptimWrapper'))
    assert type(wrapper) is AmpOptimWrapper
    assert wrapper.cast_dtype is None
    assert 'AmpOptimWrapper' not in OPTIM_WRAPPERS.module_dict
    assert OPTIM_WRAPPERS.get('AmpOptimWrapper') is AmpOptimWrapper


@pytest.mark.parametrize('dtype', ['float32', torch.float32, 'bfloat16'])
def test_steps_compute_in_the_dtype(dtype):
    """On every CPU: those without bfloat16 get float32."""
    wrapper = build(dict(OURS, dtype=dtype, accumulative_counts=2))
    model, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with wrapper.optim_context(model):
        y = model(x)
    assert y.dtype == wrapper.cast_dtype
    assert model(x).dtype == torch.float32


@pytest.mark.parametrize(('settings', 'dtype', 'scaling'), [
    (dict(), torch.bfloat16, dict(enabled=False)),
    (dict(dtype='float32'), torch.float32, dict(enabled=False)),
    (dict(dtype='float16'), torch.float16, dict()),
    (dict(loss_scale='dynamic'), torch.bfloat16, dict()),
    (dict(loss_scale=512.), torch.bfloat16, dict(init_scale=512.)),
    (dict(loss_scale=dict(init_scale=8.)), torch.bfloat16,
     dict(init_scale=8.)),
    (dict(dtype=torch.bfloat16, loss_scale='dynamic'), torch.bfloat16,
     dict()),
])
def test_dtype_and_loss_scale(scalers, settings, dtype, scaling):
    wrapper = build(dict(OURS, **settings))
    assert type(wrapper) is AutoAmpOptimWrapper
    assert wrapper.cast_dtype is dtype
    assert scalers == [scaling]


@pytest.mark.parametrize('capability, dtype', [
    ((7, 5), 'float16'), ((8, 0), 'bfloat16'), ((9, 0), 'bfloat16')
])
def test_gpus_that_only_emulate_bfloat16_compute_in_float16(
        monkeypatch, capability, dtype):
    monkeypatch.setattr(
        torch.cuda, 'get_device_capability', lambda: capability)
    assert fast_dtype('cuda') == dtype


@pytest.mark.parametrize('schedule', ['pretrain_451e', 'finetune_100e'])
def test_schedules_take_ours(schedule):
    cfg = Config.fromfile(SCHEDULES / f'{schedule}.py')
    assert type(build(cfg.optim_wrapper)) is AutoAmpOptimWrapper


def test_one_line_goes_back_to_full_precision(tmp_path):
    base = str(SCHEDULES / 'pretrain_451e.py')
    child = tmp_path / 'child.py'
    child.write_text(f'_base_ = {base!r}\n'
                     "optim_wrapper = dict(type='OptimWrapper')\n")
    wrapper = build(Config.fromfile(child).optim_wrapper)
    assert type(wrapper) is OptimWrapper
    assert isinstance(wrapper.optimizer, torch.optim.Adam)


@pytest.mark.parametrize('config', [PRETRAIN, LINEAR])
def test_amp_of_the_stock_tool(config, tmp_path, scalers):
    path = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'train.py'
    spec = importlib.util.spec_from_file_location('stock_train', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    cfg = tool.merge_args(
        Config.fromfile(REPO / config),
        Namespace(
            amp=True,
            no_validate=False,
            launcher='none',
            work_dir=str(tmp_path),
            resume=None,
            auto_scale_lr=False,
            seed=None,
            diff_rank_seed=False,
            deterministic=False,
            cfg_options=None))
    wrapper = build(cfg.optim_wrapper)
    assert type(wrapper) is AutoAmpOptimWrapper
    assert wrapper.cast_dtype is torch.bfloat16
    # The tool asks for it.
    assert scalers == [dict()]
