"""What only a GPU can show: ``UMURL_TEST_GPU=1 pytest -m gpu``."""
import copy
import importlib
import os
import subprocess
import sys

import pytest
import torch
import torch.multiprocessing as mp
from conftest import REPO, free_port
from distributed_layer import work_nccl
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from tiny_models import KNN, LINEAR, run_test_loop, save_weights, tiny_config

from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.models.losses.variance_covariance import (
    variance_covariance,
)
from umurl_mmaction.skeleton import pack_clips

DEVICE = 'cuda'
PRETRAIN = REPO / 'configs/umurl/pretrain/umurl_1xb64_synthetic.py'
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available(),
        reason='needs CUDA, and UMURL_TEST_GPU=1')
]


def build_model(embed_dims=32):
    cfg = Config.fromfile(PRETRAIN).model
    cfg.backbone.embed_dims = embed_dims
    cfg.neck.update(in_channels=2 * embed_dims, out_channels=128)
    torch.manual_seed(0)
    return MODELS.build(cfg)


@pytest.fixture
def model():
    return build_model().to(DEVICE)


@pytest.fixture
def batch():
    """Sixteen clips, as the loader packs them."""
    clips = [torch.randn(1 + i % 2, 40 + 17 * i, 25, 3) for i in range(16)]
    return dict(inputs=pack_clips(clips))


@pytest.fixture
def training():
    hub = MessageHub.get_instance('test_gpu')
    hub.update_info_dict(dict(loop_stage='train', seed=1, epoch=2, iter=30))
    yield
    hub.pop_info('loop_stage')


def make_views(model, batch):
    return model.data_preprocessor(batch, True)['inputs']


def test_views_are_those_of_the_cpu(model, batch, training):
    got = make_views(model, batch)
    assert all(view.device.type == DEVICE for view in got)
    for view, expected in zip(got, make_views(build_model(), batch)):
        torch.testing.assert_close(view.cpu(), expected, rtol=1e-4, atol=1e-5)


def test_losses_and_gradients_are_those_of_the_cpu(model, batch, training):
    views = make_views(build_model(), batch)
    found = []
    # In float32, the order of sums would show.
    for one in (model.double(), build_model().double()):
        device = next(one.parameters()).device
        losses = one([view.to(device).double() for view in views],
                     mode='loss')
        sum(losses.values()).backward()
        found.append(({k: v.cpu() for k, v in losses.items()},
                      {k: v.grad.cpu() for k, v in one.named_parameters()}))
    for got, expected in zip(*found):
        torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-8)


OTHER_METHODS = [
    'hico/hico_1xb64-3k_synthetic.py',
    'skeletal_twins/skeletal-twins_1xb64-3k_synthetic.py',
    'srcl/srcl_1xb64-3k_synthetic.py',
    'umurl/pretrain/umurl-dste_1xb64_synthetic.py',
    'umurl/pretrain/umurl-plus-nn-tuning_1xb64-300_synthetic.py',
    'umurl/pretrain/umurl-stgcnpp_1xb64_synthetic.py',
    'usdrl/usdrl_1xb64-3k_synthetic.py',
]


@pytest.mark.parametrize('config', OTHER_METHODS)
def test_other_methods_and_encoders_train_as_on_the_cpu(
        batch, training, config):
    """With their moving averages and queues, over three steps."""
    cfg = Config.fromfile(REPO / 'configs' / config)
    cfg.model.init_cfg = None
    if 'dropout' in cfg.model.backbone:  # of attention: no layer to silence
        cfg.model.backbone.dropout = 0.
    found = []
    for device in ('cpu', DEVICE):
        torch.manual_seed(0)
        one = MODELS.build(cfg.model)
        views = make_views(one, batch)
        one.double().to(device)
        for layer in one.modules():
            if 'Drop' in type(layer).__name__:
                layer.eval()
        optimizer = torch.optim.SGD(one.parameters(), lr=1e-3)
        losses = []
        for _ in range(3):
            terms = one([view.to(device).double() for view in views],
                        mode='loss')
            optimizer.zero_grad()
            sum(terms.values()).backward()
            optimizer.step()
            losses.append({k: v.item() for k, v in terms.items()})
        assert next(one.parameters()).device.type == device
        found.append((losses, {
            k: v.detach().cpu() for k, v in one.state_dict().items()
        }))
    (expected, weights), (got, others) = found
    for a, b in zip(got, expected):
        assert a == pytest.approx(b, rel=1e-5)
    assert got[2] != got[0]
    torch.testing.assert_close(others, weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', [LINEAR, KNN])
def test_test_loop_and_inferencer_are_those_of_the_cpu(
        tmp_path, ann_file, name):
    cfg = tiny_config(ann_file, name)
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    samples = run_test_loop(cfg, checkpoint, tmp_path)
    clips = [x['keypoint'] for x in load(ann_file)['annotations'][12:]]
    got, expected = (
        UmURLInferencer(cfg, checkpoint, device=device)(clips)
        for device in (None, 'cpu'))
    assert len(got['scores']) == len(samples) == 6
    for sample, score, other in zip(samples, got['scores'],
                                    expected['scores']):
        assert sample.pred_score.device.type == DEVICE
        torch.testing.assert_close(
            torch.as_tensor(score), sample.pred_score.cpu())
        torch.testing.assert_close(
            torch.as_tensor(score), torch.as_tensor(other),
            rtol=1e-4, atol=1e-4)


def test_a_linear_probe_learns(tmp_path, ann_file):
    cfg = tiny_config(ann_file, LINEAR)
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    losses = Losses()
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.ann_file = ann_file
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
    cfg.train_cfg.max_epochs = 20
    runner = Runner.from_cfg(
        Config(
            dict(
                cfg._cfg_dict,
                work_dir=str(tmp_path / 'probe'),
                experiment_name=f'gpu-{tmp_path.name}-probe',
                load_from=checkpoint)))
    runner.register_hook(losses)
    runner.train()
    assert next(runner.model.parameters()).device.type == DEVICE
    assert losses.losses[-1] < losses.losses[0]


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_steps_in_half_precision_are_close_to_float32(model, batch, training,
                                                      dtype):
    views = make_views(model, batch)
    other = copy.deepcopy(model)
    # The first scale of float16 is too large: it skips a step or two.
    scale = dict(loss_scale=dict(
        init_scale=1024.)) if dtype == 'float16' else {}
    found = []
    for one, settings in ((model, dict(type='OptimWrapper')),
                          (other, dict(
                              type='AmpOptimWrapper',
                              _scope_='umurl_mmaction',
                              dtype=dtype,
                              **scale))):
        wrapper = build_optim_wrapper(
            one,
            dict(settings,
                 optimizer=dict(type='Adam', lr=1e-3, fused=True)))
        losses = [
            one.train_step(dict(inputs=views), wrapper)['loss'].item()
            for _ in range(5)
        ]
        found.append(losses)
    assert found[1] == pytest.approx(found[0], rel=0.02)
    # Small gradients need a scale in float16, and none in bfloat16.
    assert wrapper.loss_scaler.is_enabled() == (dtype == 'float16')


def test_the_default_precision_is_that_of_the_hardware():
    from umurl_mmaction.engine.optim.amp_optim_wrapper import fast_dtype
    new = torch.cuda.get_device_capability() >= (8, 0)
    assert fast_dtype('cuda') == ('bfloat16' if new else 'float16')


def test_the_compiled_model_computes_the_same(model, batch, training):
    views = make_views(model, batch)
    torch._dynamo.reset()
    with torch.autocast(DEVICE, torch.bfloat16):
        expected = model(views, mode='loss')
        got = torch.compile(model)(views, mode='loss')
    torch.testing.assert_close(got, expected, rtol=0.02, atol=1e-3)
    torch._dynamo.reset()


class Losses(Hook):

    def __init__(self):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.losses.append(outputs['loss'].item())


def train(tmp_path, ann_file, name, **settings):
    """Six iterations of the shipped config; the losses."""
    cfg = Config.fromfile(PRETRAIN)
    cfg.model.backbone.embed_dims = 16
    cfg.model.neck.update(in_channels=32, out_channels=64)
    cfg.train_dataloader.update(batch_size=4, num_workers=1)
    cfg.val_dataloader.update(batch_size=4, num_workers=0)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.ann_file = ann_file
    cfg.train_cfg.update(max_epochs=2, val_interval=2)
    cfg.merge_from_dict({
        'work_dir': str(tmp_path / name),
        'experiment_name': f'gpu-{tmp_path.name}-{name}',
        'randomness': dict(seed=5),
        'default_hooks.checkpoint.interval': 1,
        **settings
    })
    runner = Runner.from_cfg(cfg)
    losses = Losses()
    runner.register_hook(losses)
    runner.train()
    assert next(runner.model.parameters()).device.type == DEVICE
    return losses.losses


def test_a_set_kept_on_the_gpu_trains_as_one_that_is_loaded(
        tmp_path, ann_file):
    loaded = train(tmp_path, ann_file, 'loaded')
    kept = train(
        tmp_path,
        ann_file,
        'kept',
        custom_hooks=[dict(type='KeepOnDeviceHook')])
    assert len(loaded) == 6
    assert kept == pytest.approx(loaded, rel=1e-4)


def test_a_resumed_run_goes_on(tmp_path, ann_file):
    amp = dict(optim_wrapper=dict(
        type='AmpOptimWrapper', _scope_='umurl_mmaction'))
    whole = train(tmp_path, ann_file, 'whole', **amp)
    resumed = train(
        tmp_path,
        ann_file,
        'resumed',
        resume=True,
        load_from=str(tmp_path / 'whole/epoch_1.pth'),
        **amp)
    assert resumed == pytest.approx(whole[3:], rel=1e-2)


def test_the_regulariser_needs_no_matrix_of_all_dimensions():
    feature = torch.randn(64, 4096, device=DEVICE, requires_grad=True)
    for _ in range(2):  # the first time, cuBLAS takes its own memory
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        sum(variance_covariance(feature)).backward()
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before
    assert peak < 4096 * 4096 * 4 / 2


def test_nccl_with_a_process_for_each_gpu(tmp_path):
    """NCCL refuses two processes on one GPU; gloo is tested with two."""
    world_size = min(3, torch.cuda.device_count())
    mp.spawn(
        work_nccl, (world_size, f'file://{tmp_path}/rendezvous'),
        nprocs=world_size)


def test_torchrun_trains_with_nccl(tmp_path, ann_file):
    """As `--launcher pytorch` does, with as many processes as GPUs."""
    count = min(2, torch.cuda.device_count())
    done = subprocess.run([
        sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node',
        str(count), '--master_port', str(free_port()),
        str(REPO / 'tools/train.py'), str(PRETRAIN), '--launcher', 'pytorch',
        '--work-dir', str(tmp_path / 'run'), '--cfg-options',
        f'train_dataloader.dataset.ann_file={ann_file}',
        f'val_dataloader.dataset.ann_file={ann_file}',
        f'train_dataloader.batch_size={4 // count}', 'train_cfg.max_epochs=1',
        'model.backbone.embed_dims=16', 'model.neck.out_channels=64'
    ], cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(REPO)),
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / 'run/epoch_1.pth').exists()


def test_the_benchmark_runs_on_the_gpu(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(REPO / 'benchmarks'))
    tool = importlib.import_module('benchmark')
    tool.main(['--smoke', '--device', 'cuda', '--compile', '--json',
               str(tmp_path / 'smoke.json')])
    assert (tmp_path / 'smoke.json').exists()
