"""One process or several on the same batches: the same results."""
import mmengine
import pytest
import torch
import torch.multiprocessing as mp
from conftest import free_port, make_annotations
from distributed_runs import FOLLOWERS, GLOBAL_BATCH, SHIFTS, STEPS, work

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
def results(small_runs, annotations, tmp_path_factory):
    """What each rank of each world size has found: (world, rank) -> dict.

    The processes are forked from one that has imported everything once.
    """
    folder = tmp_path_factory.mktemp('worlds')
    ann_file = str(folder / 'tiny.pkl')
    mmengine.dump(annotations, ann_file)
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


def assert_close(got, want, tolerance, path=''):
    """Relative to the size of each tensor, if that is above 1."""
    assert got.keys() == want.keys()
    for name in want:
        scale = max(1., float(want[name].abs().max()))
        error = float((got[name] - want[name]).abs().max()) / scale
        assert error < tolerance, (path, name, error)


def test_gloo_is_chosen_and_statistics_are_of_all_ranks(results):
    for world in WORLDS[1:]:
        for rank in range(world):
            result = results[world, rank]
            assert result['backend'] == 'gloo'
            assert result['train']['layers'][0] == 'MMDistributedDataParallel'
            assert result['train']['layers'].count('SyncBatchNorm1d') == 6
            assert 'BatchNorm1d' not in result['train']['layers']


@pytest.mark.parametrize('kind', ['train', 'uneven', 'double'])
def test_steps_are_those_of_one_process(pair, kind):
    want, got = (x[kind] for x in pair)
    assert len(want['losses']) == STEPS
    assert len(want['gradients']) == len(got['gradients']) == STEPS
    assert got['losses'] == pytest.approx(want['losses'], rel=1e-6)
    exact = 1e-8 if kind == 'double' else 1e-5
    for step in range(STEPS):
        # Adam, which divides by their size, enlarges the rounding errors of
        # small gradients; what comes of them is not the processes' doing.
        tolerance = exact if step == 0 or kind == 'double' else 10 * exact
        assert_close(got['gradients'][step], want['gradients'][step],
                     tolerance, step)
    # What is left out of the whole training is in both of the others.
    left_out = (*SHIFTS, 'running_mean') if kind == 'train' else ()
    want, got = ({
        name: value
        for name, value in x['state'].items() if not name.endswith(left_out)
    } for x in (want, got))
    assert sum('running' in name for name in want) >= 6
    assert_close(got, want, exact)


@pytest.mark.parametrize('method', FOLLOWERS)
def test_moving_average_and_queue_are_those_of_one_process(pair, method):
    want, got = (x[method] for x in pair)
    assert got['losses'] == pytest.approx(want['losses'], rel=1e-9)
    for step in range(STEPS):
        assert_close(got['gradients'][step], want['gradients'][step], 1e-8,
                     step)
    assert want['state']['target.steps'] == STEPS
    assert any('queue' in name for name in want['state'])
    assert_close(got['state'], want['state'], 1e-8)


def test_shifts_have_no_gradient(results):
    """Why they are left out: what they get are rounding errors."""
    for gradients in results[1, 0]['double']['gradients']:
        shifts = [x for x in gradients if x.endswith(SHIFTS)]
        # Of two encoders and three projectors.
        assert len(shifts) == 2 + 2 * 3
        for name in shifts:
            assert gradients[name].abs().max() < 1e-12, name


def test_all_ranks_have_the_same_weights(results):
    for world in WORLDS[1:]:
        for rank in range(1, world):
            for kind in ('train', 'uneven', 'double', *FOLLOWERS):
                first, other = (results[world, x][kind]['state']
                                for x in (0, rank))
                for name, value in first.items():
                    assert torch.equal(other[name], value), name


def test_monitored_retrieval_counts_each_clip_once(results):
    want = results[1, 0]['train']['metrics']
    # The first clip is missed, as it is to be; counted twice, 4 of 6 or
    # fewer would be hits.
    assert want['retrieval/fused_top1'] == 0.8
    for result in results.values():
        assert result['train']['metrics'] == want


def test_features_are_the_same_for_every_rank_and_world(
        results, annotations):
    want = results[1, 0]['retrieve']
    assert want['names'] == annotations['split']['train']
    assert want['labels'] == [
        x['label'] for x in annotations['annotations'][:NUM_TRAIN]
    ]
    for result in results.values():
        got = result['retrieve']
        assert got['names'] == want['names']
        assert got['labels'] == want['labels']
        for a, b in ((got['features'], want['features']),
                     *zip(got['index'], want['index'])):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_test_metrics_count_each_clip_once(results):
    want = results[1, 0]['retrieve']
    assert want['metrics']['acc/top1'] == 0.8
    predictions = mmengine.load(want['predictions'])
    assert len(predictions) == NUM_VAL
    for (world, _), result in results.items():
        assert result['retrieve']['metrics'] == want['metrics']
        dumped = mmengine.load(result['retrieve']['predictions'])
        assert len(dumped) == NUM_VAL, world
        for a, b in zip(dumped, predictions):
            assert a['gt_label'] == b['gt_label']
            torch.testing.assert_close(
                a['pred_score'], b['pred_score'], rtol=1e-5, atol=1e-6)


def test_subsets_are_the_same_for_every_rank_and_world(results, annotations):
    labels = [x['label'] for x in annotations['annotations'][:NUM_TRAIN]]
    names = annotations['split']['train']
    want = [names[i] for i in class_balanced_subset(labels, 0.1)]
    assert len(want) == 3
    assert all(result['subset'] == want for result in results.values())
