"""Checkpoints: MMEngine's own resume, those that would run code do not."""
import functools
import http.server
import io
import logging
import os
import pickle
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pytest
import torch
from conftest import REPO
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.registry import MODELS, OPTIMIZERS, PARAM_SCHEDULERS
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner.checkpoint import _load_checkpoint
from payloads import Call, altered, array, run
from tools_loading import load_script
from torch.optim import lr_scheduler
from torch.utils.data import Dataset

from umurl_mmaction import compat
from umurl_mmaction.fileio import checkpoints

pytestmark = pytest.mark.skipif(
    not checkpoints._is_restricted(),
    reason='this torch loads without weights_only')


@pytest.fixture
def no_safe_globals():
    """Forget what is allowed for the time of a test."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(before)


def refusal(path, load=_load_checkpoint):
    """What is said of a file, without its name."""
    with pytest.raises(pickle.UnpicklingError) as info:
        load(str(path))
    start = f'{path}: torch cannot load it as weights: '
    message = str(info.value)
    assert message.startswith(start) and '\n' not in message, message
    assert 'weights_only' not in message.replace('``weights_only=True``', '')
    return message[len(start):]


# MMEngine's own


class TinyData(Dataset):
    metainfo = dict(classes=('a', 'b'), palette=[(1, 2, 3)])

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.full((3, ), float(index))


class TinyModel(BaseModel):

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2, bias=False)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        out = self.linear(torch.stack(list(inputs)))
        return dict(loss=out.square().mean(), dtype=out.dtype.itemsize + 0.)

    def train_step(self, data, optim_wrapper):
        wrappers = [optim_wrapper]
        if isinstance(optim_wrapper, OptimWrapperDict):
            wrappers = list(optim_wrapper.values())
        for wrapper in wrappers:

            def loss():
                with wrapper.optim_context(self):  # noqa: B023
                    outputs = self(data)
                TinyModel.out_bytes = outputs['dtype']
                return outputs['loss']

            if isinstance(wrapper.optimizer, torch.optim.LBFGS):
                wrapper.zero_grad()
                wrapper.backward(loss())
                wrapper.optimizer.step(loss)
            else:
                wrapper.update_params(loss())
        return dict(loss=loss())


SGD = dict(
    type='OptimWrapper',
    clip_grad=dict(max_norm=1),
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9))


def tiny_runner(work_dir, name, max_epochs, optim_wrapper=SGD, **kwargs):
    model = TinyModel()
    return Runner(
        model,
        work_dir=str(work_dir),
        experiment_name=f'{work_dir.name}-{name}',
        train_dataloader=dict(
            dataset=TinyData(),
            batch_size=2,
            sampler=dict(type='DefaultSampler', shuffle=True)),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        optim_wrapper=optim_wrapper(model)
        if callable(optim_wrapper) else optim_wrapper,
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', interval=1)),
        **kwargs)


def resume(work_dir, **kwargs):
    """Train two epochs, and a third after loading what they left."""
    first = tiny_runner(work_dir, 'first', 2, **kwargs)
    # A metric may leave a NumPy scalar there.
    first.message_hub.update_info('best_score', np.float32(0.5))
    first.train()
    path = work_dir / 'epoch_2.pth'
    second = tiny_runner(
        work_dir, 'second', 3, load_from=str(path), resume=True, **kwargs)
    second.train()
    assert (second.epoch, second.iter) == (3, 6)
    return first, second, _load_checkpoint(str(path))


@pytest.fixture(autouse=True)
def own_statistics_methods():
    """A payload that is let run changes those of all buffers."""
    methods = dict(HistoryBuffer._statistics_methods)
    yield
    HistoryBuffer._statistics_methods.clear()
    HistoryBuffer._statistics_methods.update(methods)



@pytest.mark.parametrize('wrapper', ['OptimWrapper', 'AmpOptimWrapper'])
def test_own_checkpoint_is_resumed(tmp_path, wrapper):
    first, second, saved = resume(
        tmp_path, optim_wrapper=dict(SGD, type=wrapper))
    if wrapper == 'AmpOptimWrapper' and compat._cpu_only():
        assert TinyModel.out_bytes == 2, 'not in bfloat16'
    assert saved['meta']['dataset_meta'] == TinyData.metainfo
    log = second.message_hub.get_scalar('train/loss')
    assert len(log.data[0]) == 6 and log.data[0].dtype == np.float64
    old = first.message_hub.get_scalar('train/loss')
    np.testing.assert_array_equal(log.data[0][:4], old.data[0])
    assert second.message_hub.get_info('best_score') == np.float32(0.5)
    for name in checkpoints._STATISTICS:
        assert log._statistics_methods[name] is getattr(HistoryBuffer, name)


SETTINGS = dict(
    CosineAnnealing=dict(T_max=4),
    CosineRestart=dict(periods=[2, 2], restart_weights=[1, .5], eta_min=0),
    Exponential=dict(gamma=.9),
    MultiStep=dict(milestones=[1]),
    OneCycle=dict(total_steps=10, eta_max=.2),
    ReduceOnPlateau=dict(monitor='loss'),
    Step=dict(step_size=1))
SUFFIXES = ('ParamScheduler', 'Momentum', 'LR')


def schedulers():
    """A configuration of each that MMEngine has."""
    configs = []
    for name in sorted(PARAM_SCHEDULERS.module_dict):
        suffix = next(s for s in SUFFIXES if name.endswith(s))
        config = dict(
            type=name, by_epoch=True, **SETTINGS.get(name[:-len(suffix)], {}))
        if suffix == 'ParamScheduler':
            config['param_name'] = 'lr'
        configs.append(config)
        if name.startswith('OneCycle'):
            configs.append(dict(config, anneal_strategy='linear'))
    return configs


def test_every_scheduler_is_resumed(tmp_path):
    configs = schedulers()
    assert len(configs) >= 31
    first, second, saved = resume(tmp_path, param_scheduler=configs)
    assert len(saved['param_schedulers']) == len(configs)
    functions = [
        (old.anneal_func, state['anneal_func'], new.anneal_func)
        for old, state, new in zip(
            first.param_schedulers, saved['param_schedulers'],
            second.param_schedulers) if hasattr(old, 'anneal_func')
    ]
    assert len(functions) == 4
    assert {old is new is state for old, state, new in functions} == {True}
    assert {old for old, _, _ in functions} == {
        OneCycleParamScheduler._annealing_cos,
        OneCycleParamScheduler._annealing_linear
    }


# Want parameters of another kind, or processes.
OTHERS = ('Optimizer', 'SparseAdam', 'ZeroRedundancyOptimizer')


def test_every_optimizer_is_resumed(tmp_path):
    # MMEngine also registers those of other packages that are installed.
    names = sorted(name for name, kind in OPTIMIZERS.module_dict.items()
                   if kind.__module__.startswith('torch.')
                   and name not in OTHERS)
    assert len(names) > 10

    def wrappers(model):
        return OptimWrapperDict(**{
            name: OptimWrapper(OPTIMIZERS.get(name)(model.parameters(), lr=.1))
            for name in names
        })

    _, second, saved = resume(tmp_path, optim_wrapper=wrappers)
    assert sorted(saved['optimizer']) == names
    state, = second.optim_wrapper['Adam'].optimizer.state.values()
    assert state['step'] == 6


@pytest.mark.parametrize('ema', [
    'ExponentialMovingAverage', 'MomentumAnnealingEMA',
    'StochasticWeightAverage'])
def test_every_average_is_resumed(tmp_path, ema):
    assert ema in MODELS.module_dict
    saved = resume(
        tmp_path, custom_hooks=[dict(type='EMAHook', ema_type=ema)])[2]
    assert 'module.linear.weight' in saved['ema_state_dict']


@pytest.mark.parametrize('package', ['numpy.core', 'numpy._core'])
def test_checkpoint_of_either_numpy(tmp_path, package):
    hub = MessageHub.get_instance(f'hub-{package}')
    hub.update_scalar('loss', 2.5)
    hub.update_info('best_score', np.float64(0.25))
    hub.update_info('epoch', np.int64(3))
    path = tmp_path / 'legacy.pth'
    # In this format the names can be exchanged in the bytes of the file.
    torch.save(
        dict(message_hub=hub.state_dict()),
        path,
        _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    for name in (b'numpy.core', b'numpy._core'):
        content = content.replace(
            b'c%s.multiarray\n' % name, b'c%s.multiarray\n' % package.encode())
    path.write_bytes(content)
    state = _load_checkpoint(str(path))['message_hub']
    assert state['log_scalars']['loss'].mean() == 2.5
    assert state['runtime_info']['best_score'] == 0.25
    assert state['runtime_info']['epoch'] == 3


def all_of_torch():
    """State of each scheduler of torch that has one."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=.1)
    settings = dict(
        ChainedScheduler=None,
        CosineAnnealingLR=(4, ),
        CosineAnnealingWarmRestarts=(4, ),
        CyclicLR=(.1, .2),
        ExponentialLR=(.9, ),
        LambdaLR=(lambda epoch: 1., ),
        LRScheduler=None,
        MultiplicativeLR=(lambda epoch: 1., ),
        MultiStepLR=([1, 2], ),
        OneCycleLR=(.1, 9),
        SequentialLR=None,
        StepLR=(1, ))
    for name in lr_scheduler.__all__:
        args = settings.get(name, ())
        if args is not None:
            kwargs = dict(cycle_momentum=False) if name in (
                'CyclicLR', 'OneCycleLR') else {}
            yield getattr(lr_scheduler, name)(optimizer, *args, **kwargs)


def test_schedulers_of_torch_are_loaded(tmp_path):
    path = str(tmp_path / 'a.pth')
    states = [scheduler.state_dict() for scheduler in all_of_torch()]
    assert len(states) > 10
    torch.save(dict(param_schedulers=states), path)
    assert str(_load_checkpoint(path)['param_schedulers']) == str(states)
    # As torch 2.0 did.
    function = lr_scheduler.OneCycleLR._annealing_cos
    torch.save(dict(anneal_func=function), path)
    assert _load_checkpoint(path)['anneal_func'] is function


def test_the_list_is_for_our_loads_only(tmp_path, no_safe_globals):
    path = tmp_path / 'a.pth'
    for content, name in ((HistoryBuffer([1.], [1]), 'HistoryBuffer'),
                          (OneCycleParamScheduler._annealing_cos, 'getattr')):
        torch.save(dict(content=content), path)
        with pytest.raises(pickle.UnpicklingError, match=name):
            torch.load(path, weights_only=True)
        _load_checkpoint(str(path))
        assert not torch.serialization.get_safe_globals()


def test_apply_again_changes_nothing():

    def replaced():
        return (CheckpointLoader.load_checkpoint.__func__, torch.load,
                Runner.load_checkpoint,
                set(torch.serialization.get_safe_globals()))

    before = replaced()
    checkpoints.apply()
    assert replaced() == before


def test_old_torch_is_left_alone_but_warned_of(monkeypatch, tmp_path):
    # Has neither the list nor the functions.
    monkeypatch.setattr(torch, '__version__', '2.1.0')
    for name in ('add_safe_globals', 'get_safe_globals'):
        monkeypatch.delattr(torch.serialization, name)
    warnings = []
    monkeypatch.setattr('mmengine.logging.print_log',
                        lambda *args: warnings.append(args))
    checkpoints.apply()
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict={}), path)
    checkpoints._warn_of_old_torch.cache_clear()
    for _ in range(2):
        _load_checkpoint(str(path))
    checkpoints._warn_of_old_torch.cache_clear()
    (text, logger, level), = warnings
    assert text.startswith('torch 2.1.0 runs whatever a checkpoint asks for')
    assert level == logging.WARNING


# Those that would run code


def nested(command):
    """A pickle within a pickle."""
    return Call(torch.storage._load_from_bytes, saved(run(command)))


def saved(content):
    with io.BytesIO() as file:
        torch.save(content, file, _use_new_zipfile_serialization=False)
        return file.getvalue()


def getattr_chain(command):
    return Call(Call(getattr, Call(__import__, 'os'), 'system'), command)


def history(command):
    """A buffer that calls something else on its first update."""
    buffer = HistoryBuffer.__new__(HistoryBuffer)
    buffer.__dict__.update(
        max_length=1,
        _log_history=run(command),
        _count_history=getattr_chain(command))
    return buffer


def own_statistics(command):
    """A statistics method that is none."""
    return Call(HistoryBuffer, [], [], state=dict(
        statistics_methods=dict(mean=Call(os.system, command))))


# What they ask for first, and how; each makes a file if it is loaded without
# restrictions.
PAYLOADS = dict(
    system=('posix.system', run),
    # The name of subprocess in the protocol of torch.save.
    popen=('commands.Popen',
           lambda c: Call(Call(getattr, Call(subprocess.Popen, c.split()),
                               'wait'))),
    eval=('eval', lambda c: Call(eval, f'__import__("os").system("{c}")')),
    exec=('exec', lambda c: Call(exec, f'import os; os.system("{c}")')),
    getattr_chain=('__import__', getattr_chain),
    partial=('functools.partial',
             lambda c: Call(functools.partial(os.system, c))),
    storage=('torch.storage._load_from_bytes', nested),
    history=('posix.system', history),
    statistics=('posix.system', own_statistics),
    # Functions that may be loaded call another one.
    rebuild=('posix.system', lambda c: Call(
        torch._tensor._rebuild_from_type_v2, os.system, torch.Tensor, (c, ),
        {})),
    reconstruct=('posix.system', lambda c: Call(
        np.empty(0).__reduce__()[0], np.ndarray, (run(c), ), b'b')),
    scalar=('posix.system', lambda c: Call(
        np.float64(0).__reduce__()[0], np.dtype('f8'), run(c))),
    one_cycle=('posix.system', lambda c: Call(
        getattr, OneCycleParamScheduler, run(c))))
PLACES = dict(
    state_dict=lambda payload: dict(state_dict=dict(weight=payload)),
    optimizer=lambda payload: dict(
        state_dict={}, optimizer=dict(state=[payload])),
    message_hub=lambda payload: dict(
        state_dict={}, message_hub=dict(log_scalars=dict(loss=payload))))


def is_run(path, marker):
    """Whether the payload works, loaded without restrictions."""
    try:
        torch.load(path, weights_only=False)
    except Exception:  # noqa: S110  Some fail once their call is done.
        pass
    return marker.exists()


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('name', PAYLOADS)
def test_crafted_checkpoint_is_refused(tmp_path, name, place):
    marker, path = tmp_path / 'marker', tmp_path / 'crafted.pth'
    asks_for, payload = PAYLOADS[name]
    content = PLACES[place](payload(f'touch {marker}'))
    for zipped in (True, False):
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        reason = refusal(path)
        assert reason.startswith(f'it asks for {asks_for}, which ')
        assert reason.endswith('do not use the file')
        assert not marker.exists()
    if place == 'state_dict':
        assert is_run(path, marker)


def payloads_without_a_call():
    """The builtin getattr, and NumPy, made to do something else."""
    method = HistoryBuffer.min
    return dict(
        os_system=Call(getattr, Call(__import__, 'os'), 'system'),
        init_globals=Call(
            getattr, Call(getattr, HistoryBuffer, '__init__'), '__globals__'),
        method_globals=Call(getattr, method, '__globals__'),
        method_called=Call(method, HistoryBuffer([1.], [1])),
        other_method=Call(getattr, HistoryBuffer, 'register_statistics'),
        private_method=Call(getattr, HistoryBuffer, '__setstate__'),
        scheduler_init=Call(getattr, OneCycleParamScheduler, '__init__'),
        scheduler_made=Call(OneCycleParamScheduler, None),
        scheduler_new=Call(OneCycleParamScheduler.__new__,
                           OneCycleParamScheduler),
        subclasses=Call(Call(getattr, object, '__subclasses__')),
        tensor=Call(getattr, torch.zeros(1), 'data_ptr'),
        ndarray=Call(Call(getattr, np.zeros(1), 'tofile'), 'marker'),
        dtype=Call(getattr, np.dtype, 'newbyteorder'),
        other_class=Call(getattr, torch.nn.Parameter, 'mean'),
        # Bytes of the file as pointers.
        pointers=array(altered('O8', byteorder='|', flags=0), b'A' * 8),
        object_scalar=Call(np.float64(0).__reduce__()[0], altered('O8'),
                           b'A' * 8),
        # Items that reach beyond the array.
        subarray=array(altered('f8', subarray=(np.dtype('f8'), (1000, )))),
        fields=array(altered('f8', names=('a', ), fields=dict(
            a=(np.dtype('f8'), 4096)))),
        record=array(altered('V8')),
        subtype=Call(np.empty(0).__reduce__()[0], np.matrix, (0, ), b'b'))


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('name', sorted(payloads_without_a_call()))
def test_abused_attributes_and_arrays_are_refused(tmp_path, monkeypatch, name,
                                                  zipped):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'crafted.pth'
    payload = HistoryBuffer.__new__(HistoryBuffer)
    payload.__dict__.update(
        max_length=9,
        _log_history=payloads_without_a_call()[name],
        _count_history=np.zeros(1))
    torch.save(
        dict(state_dict={}, message_hub=dict(payload=payload)),
        path,
        _use_new_zipfile_serialization=zipped)
    refusal(path)
    assert list(tmp_path.iterdir()) == [path]


def test_getattr_is_not_on_the_list():
    known = torch.serialization.get_safe_globals()
    functions = [e[0] if isinstance(e, tuple) else e for e in known]
    assert getattr not in functions and np.dtype not in functions
    assert OneCycleParamScheduler not in functions
    with pytest.raises(pickle.UnpicklingError, match="'system' of 'os'"):
        checkpoints._getattr_of_checkpoint(os, 'system')


def plain_pickle(path, command, protocol):
    path.write_bytes(
        pickle.dumps(dict(state_dict=run(command)), protocol))


def tar(path, command):
    """The format of torch before 0.1.10."""
    with tarfile.open(path, 'w') as archive:
        for name in ('storages', 'tensors', 'pickle'):
            member = tarfile.TarInfo(name)
            data = pickle.dumps(run(command), 2)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize('write, load', [
    (tar, functools.partial(torch.load, weights_only=False)),
    *((functools.partial(plain_pickle, protocol=protocol),
       lambda path: pickle.loads(path.read_bytes()))
      for protocol in (0, 1, 2, 4, 5))])
def test_files_of_other_formats_are_refused(tmp_path, write, load):
    marker, path = tmp_path / 'marker', tmp_path / 'crafted.pth'
    write(path, f'touch {marker}')
    refusal(path)
    assert not marker.exists()
    try:
        load(path)
    except (EOFError, TypeError):  # It is no whole tar of torch.
        assert write is tar
    assert marker.exists()


def test_torchscript_is_refused(tmp_path):
    path = tmp_path / 'script.pth'
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), str(path))
    assert 'TorchScript' in refusal(path)


@pytest.mark.parametrize('content, reason', [
    (b'', 'the file is empty'),
    *((content, 'it is no file of torch.save') for content in (
        b'PK', b'\x80\x02', pickle.dumps({}, 4), b'text\nfile'))])
def test_broken_files_are_named(tmp_path, content, reason):
    path = tmp_path / 'broken.pth'
    path.write_bytes(content)
    assert refusal(path).startswith(reason)
    torch.save(dict(state_dict=dict(a=torch.ones(99))), path)
    path.write_bytes(path.read_bytes()[:-200] + content)
    assert 'zip archive' in refusal(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='no.pth can not be found'):
        _load_checkpoint(str(tmp_path / 'no.pth'))


def test_no_module_is_imported(tmp_path, monkeypatch):
    """The file names a module beside it."""
    marker, path = tmp_path / 'marker', tmp_path / 'crafted.pth'
    (tmp_path / 'beside_it.py').write_text(
        f'from pathlib import Path\nPath({str(marker)!r}).touch()\n\n\n'
        'class Weights:\n    pass\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend('')
    import beside_it
    torch.save(dict(state_dict=beside_it.Weights()), path)
    marker.unlink()
    del sys.modules['beside_it']
    assert refusal(path).startswith('it asks for beside_it.Weights, which ')
    assert not marker.exists() and 'beside_it' not in sys.modules
    assert is_run(path, marker)
    del sys.modules['beside_it']


class Trusted:
    """What a user may want to load all the same."""


def test_what_is_added_is_loaded(tmp_path, no_safe_globals):
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict={}, mine=Trusted()), path)
    name = f'{Trusted.__module__}.Trusted'
    assert f'add_safe_globals([{name}])' in refusal(path)
    torch.serialization.add_safe_globals([Trusted])
    assert isinstance(_load_checkpoint(str(path))['mine'], Trusted)


# The ways to a checkpoint


@pytest.fixture
def crafted(tmp_path):
    """A checkpoint that makes a file, and that file."""
    marker, path = tmp_path / 'marker', tmp_path / 'crafted.pth'
    torch.save(
        dict(state_dict=dict(weight=run(f'touch {marker}'))), path)
    yield path
    assert not marker.exists()
    assert is_run(path, marker)


def test_no_variable_switches_it_off(crafted, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    assert 'it asks for posix.system' in refusal(crafted)
    with pytest.raises(ValueError, match='it asks for posix.system'):
        checkpoints.load_checkpoint(crafted)


def test_what_a_user_adds_is_not_taken_for_ours(tmp_path, no_safe_globals):
    """As pages on the net advise, which brings NumPy's own back."""
    added = [np.ndarray, np.dtype, np.empty(0).__reduce__()[0], HistoryBuffer]
    torch.serialization.add_safe_globals(added)
    path = tmp_path / 'a.pth'
    payload = payloads_without_a_call()['subarray']
    torch.save(dict(history=HistoryBuffer([1.], [1]), payload=payload), path)
    assert 'it alters what NumPy knows' in refusal(path)
    assert set(torch.serialization.get_safe_globals()) == set(added)


@pytest.mark.parametrize('resumed', [True, False])
def test_runner(tmp_path, crafted, resumed):
    runner = tiny_runner(
        tmp_path, f'load-{resumed}', 1, load_from=str(crafted),
        resume=resumed)
    assert 'it asks for posix.system' in refusal(
        crafted, lambda path: runner.train())


def test_resuming_does_not_run_the_config_of_the_file(tmp_path):
    first = tiny_runner(tmp_path, 'first', 1)
    first.train()
    path, mark = tmp_path / 'epoch_1.pth', tmp_path / 'ran'
    checkpoint = _load_checkpoint(str(path))
    checkpoint['meta']['config'] = f'open({str(mark)!r}, "w").close()'
    torch.save(checkpoint, path)
    second = tiny_runner(
        tmp_path, 'second', 2, load_from=str(path), resume=True)
    second.train()
    assert second.epoch == 2
    assert not mark.exists()


def test_pretrained_backbone(crafted):
    model = MODELS.build(
        dict(
            type='mmaction.UmURLBackbone',
            embed_dims=16,
            init_cfg=dict(
                type='Pretrained',
                checkpoint=str(crafted),
                prefix='backbone.')))
    refusal(crafted, lambda path: model.init_weights())


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve the folder; its address."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '*')
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    monkeypatch.setattr(handler.func, 'log_message', lambda *args: None)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_download(crafted, server):
    refusal(f'{server}/{crafted.name}')


def test_downloads_are_kept_by_their_whole_url(tmp_path, server, capsys):

    def save(name, value):
        (tmp_path / name).mkdir(exist_ok=True)
        torch.save(dict(value=value), tmp_path / name / 'best.pth')

    def load(name):
        loaded = checkpoints.load_checkpoint(f'{server}/{name}/best.pth')
        return loaded['value'], 'Downloading' in capsys.readouterr().out

    save('first', 1)
    save('second', 2)
    assert [load('first'), load('second')] == [(1, True), (2, True)]
    save('first', 3)
    assert load('first') == (1, False)
    # What was cut off, or changed, is fetched again.
    kept, = (path for path in (tmp_path / 'cache').rglob('best.pth')
             if torch.load(path)['value'] == 1)
    kept.write_bytes(kept.read_bytes()[:-1])
    assert load('first') == (3, True)


def test_a_download_that_is_cut_off_is_not_kept(tmp_path, server,
                                                monkeypatch):
    torch.save(dict(value=1), tmp_path / 'a.pth')
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, 'copyfile',
                        lambda self, source, target: target.write(
                            source.read()[:100]))
    with pytest.raises(OSError, match='a.pth: 100 of [0-9]+ bytes came'):
        checkpoints.load_checkpoint(f'{server}/a.pth')
    assert not list((tmp_path / 'cache').rglob('*.pth'))


def test_mmengine_alone_runs_a_download(tmp_path, crafted, monkeypatch):
    """What is mended: the function is torch's, with its default."""
    from mmengine.runner import checkpoint
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    marker = tmp_path / 'marker'
    checkpoint.load_url(crafted.as_uri(), progress=False)
    assert marker.exists()
    marker.unlink()
    with pytest.raises(pickle.UnpicklingError), checkpoints._restricted():
        checkpoint.load_url(crafted.as_uri(), progress=False)


@pytest.mark.parametrize('option', [['--info'], []])
def test_convert_tool(tmp_path, crafted, capsys, monkeypatch, option):
    tool = load_script(REPO / 'tools/convert/convert_umurl_checkpoint.py')
    target = tmp_path / 'target.pth'
    monkeypatch.setattr(
        sys, 'argv', ['convert', *option, str(crafted), str(target)])
    with pytest.raises(SystemExit):
        tool.main()
    line = capsys.readouterr().err.splitlines()[-1]
    assert f'{crafted}: torch cannot load it as weights: it asks for ' in line
    assert not target.exists()


def test_test_tool(tmp_path, crafted, ann_file):
    cfg = Config.fromfile(
        REPO / 'configs/umurl/knn/umurl-knn_synthetic.py')
    cfg.model.backbone.embed_dims = 16
    cfg.model.gallery.dataset.ann_file = ann_file
    cfg.test_dataloader.dataset.ann_file = ann_file
    cfg.dump(tmp_path / 'config.py')
    done = subprocess.run(
        [
            sys.executable, REPO / 'tools/test.py', tmp_path / 'config.py',
            crafted, '--work-dir', tmp_path / 'work'
        ],
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        f'error: {crafted}: torch cannot load it as weights: it '
        'asks for posix.system, which no data need and which can run '
        'anything; do not use the file')
