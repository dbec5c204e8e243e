import gc
import multiprocessing.forkserver
import os
import socket
from pathlib import Path

# The suite says what a CPU computes; MMEngine would take the GPU. Tests with
# the marker `gpu` are for `UMURL_TEST_GPU=1 pytest -m gpu`.
if not os.environ.get('UMURL_TEST_GPU'):
    os.environ['CUDA_VISIBLE_DEVICES'] = ''

import mmengine  # noqa: E402
import mmengine.config.config  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

import umurl_mmaction  # noqa: F401, E402

REPO = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get('UMURL_SHARED', REPO.parent / 'shared'))
# Bit for bit is a promise for the CPU.
ENVIRONMENT = dict(
    PYTHONPATH=os.pathsep.join([
        str(REPO),
        str(REPO / 'tests'), *filter(None, [os.environ.get('PYTHONPATH')])
    ]),
    OMP_NUM_THREADS='1',
    CUDA_VISIBLE_DEVICES='')


def pytest_collection_finish():
    # MMEngine collects garbage for each dataset: this spares it what stays.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope='session')
def format_once():
    """Eight times a run formats its config, half of the time of a tiny one."""
    config = mmengine.config.config
    format_code = config.FormatCode
    texts = {}

    def format_new(text, **style):
        if text not in texts:
            texts.clear()
            texts[text] = format_code(text, **style)
        return texts[text]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, 'FormatCode', format_new)
        yield


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


@pytest.fixture
def shared():
    """Path of a file that is not part of the repository."""

    def path(name):
        if not (SHARED / name).exists():
            pytest.skip(f'{name} is not in {SHARED}; set UMURL_SHARED')
        return SHARED / name

    return path


@pytest.fixture
def golden(shared):
    """Outputs of the paper's own code."""
    return lambda name: np.load(shared(f'fixtures/golden/{name}'))


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)
    torch.manual_seed(0)


def make_annotations(num_train=12,
                     num_val=6,
                     num_classes=3,
                     num_joints=25,
                     coords=3,
                     seed=0):
    """A tiny set in MMAction2's format whose classes are easy to tell."""
    rng = np.random.default_rng(seed)
    poses = rng.normal(size=(num_classes, 1, 1, num_joints, coords))
    annotations = []
    for i in range(num_train + num_val):
        num_frames = int(rng.integers(20, 90))
        num_person = 1 + i % 2
        label = i % num_classes
        noise = rng.normal(
            scale=0.05, size=(num_person, num_frames, num_joints, coords))
        annotations.append(
            dict(
                frame_dir=f'clip{i:03d}',
                label=label,
                total_frames=num_frames,
                keypoint=(poses[label] + noise).astype(np.float32)))
        if coords == 2:
            annotations[-1]['img_shape'] = (1080, 1920)
    names = [x['frame_dir'] for x in annotations]
    return dict(
        split=dict(train=names[:num_train], val=names[num_train:]),
        annotations=annotations)


@pytest.fixture(scope='session')
def ann_file(tmp_path_factory):
    """Annotation pickle of `make_annotations`."""
    path = tmp_path_factory.mktemp('data') / 'tiny.pkl'
    mmengine.dump(make_annotations(), str(path))
    return str(path)


@pytest.fixture(autouse=True)
def default_scope():
    """As MMEngine's Runner does from a config."""
    mmengine.registry.init_default_scope('mmaction')


@pytest.fixture(scope='session')
def environment():
    """Variables of processes that compute on one core."""
    return dict(os.environ, **ENVIRONMENT)


@pytest.fixture(scope='session')
def small_runs():
    """The module of that name, which a server process imports as well."""
    import small_runs
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['small_runs'])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        multiprocessing.forkserver.ensure_running()
    return small_runs
