"""One process or several on the same batches: the same results."""
import multiprocessing

import mmengine
import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from conftest import free_port, make_annotations
from distributed_runs import GLOBAL_BATCH, STEPS, work

from umurl_mmaction.datasets.subset import class_balanced_subset

WORLDS = (1, 2, 4)
NUM_TRAIN = GLOBAL_BATCH * STEPS
# Over 2 ranks one clip is repeated, over 4 the first three are.
NUM_VAL = 5


@pytest.fixture(scope='module')
def annotations():
    data = make_annotations(num_train=NUM_TRAIN, num_val=NUM_VAL)
    # The first query, which ranks repeat, has to be missed.
    first = data['annotations'][NUM_TRAIN]
    first['label'] = (first['label'] + 1) % 3
    return data


@pytest.fixture(scope='module')
def results(annotations, tmp_path_factory):
    """What each rank of each world size has found: (world, rank) -> dict."""
    folder = tmp_path_factory.mktemp('worlds')
    ann_file = str(folder / 'tiny.pkl')
    mmengine.dump(annotations, ann_file)
    # Forked from a process that has imported everything once.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['small_runs', 'distributed_runs'])
    for world in WORLDS:
        mp.start_processes(
            work, (world, free_port(), ann_file, folder),
            nprocs=world,
            start_method='forkserver')
    return {(world, rank): torch.load(
        folder / str(world) / f'rank{rank}.pth', weights_only=False)
            for world in WORLDS for rank in range(world)}


@pytest.fixture(params=[(2, 0), (2, 1), (4, 0), (4, 3)], ids=str)
def pair(results, request):
    """The results of one process and those of a rank of several."""
    return results[1, 0], results[request.param]


def assert_close(got, want, path=''):
    """To 1e-5, relative to the size of each tensor."""
    assert got.keys() == want.keys()
    for name in want:
        scale = max(1., float(want[name].abs().max()))
        error = float((got[name] - want[name]).abs().max()) / scale
        assert error < 1e-5, (path, name, error)


def test_gloo_is_chosen_and_statistics_are_of_all_ranks(results):
    for world in WORLDS[1:]:
        for rank in range(world):
            result = results[world, rank]
            assert result['backend'] == 'gloo'
            assert result['train']['layers'][0] == 'MMDistributedDataParallel'
            assert result['train']['layers'].count('SyncBatchNorm') == 6
            assert 'BatchNorm1d' not in result['train']['layers']


@pytest.mark.parametrize('kind', ['train', 'uneven'])
def test_steps_are_those_of_one_process(pair, kind):
    want, got = (x[kind] for x in pair)
    assert len(want['losses']) == STEPS
    assert len(want['gradients']) == len(got['gradients']) == STEPS
    assert got['losses'] == pytest.approx(want['losses'], rel=1e-5)
    for step in range(STEPS):
        assert_close(got['gradients'][step], want['gradients'][step], step)
    assert any('running_var' in name for name in want['state'])
    assert_close(got['state'], want['state'])
