import mmengine
import pytest
from conftest import make_annotations


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
