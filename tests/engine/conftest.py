import multiprocessing.forkserver
import os

import mmengine
import pytest
from conftest import REPO, make_annotations

# Bit for bit is a promise for the CPU.
ENVIRONMENT = dict(
    PYTHONPATH=os.pathsep.join([
        str(REPO),
        str(REPO / 'tests'), *filter(None, [os.environ.get('PYTHONPATH')])
    ]),
    OMP_NUM_THREADS='1',
    CUDA_VISIBLE_DEVICES='')


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


@pytest.fixture(scope='session')
def runs(tmp_path_factory):
    """A folder with annotations, for small trainings."""
    path = tmp_path_factory.mktemp('runs')
    mmengine.dump(make_annotations(), str(path / 'tiny.pkl'))
    return path


@pytest.fixture(scope='session')
def small(small_runs, runs):
    """Configuration of a training in the folder of that name."""
    return lambda name, **kwargs: small_runs.config(runs / 'tiny.pkl', runs /
                                                    name, **kwargs)


@pytest.fixture(scope='session')
def linear(small_runs, runs):
    """The same of a linear classifier, with validation."""
    return lambda name, **kwargs: small_runs.linear_config(
        runs / 'tiny.pkl', runs / name, **kwargs)


@pytest.fixture(scope='session')
def whole(small, runs, small_runs):
    """Folder of a training that nothing has interrupted."""
    small_runs.Training(small('whole')).end()
    return runs / 'whole'
