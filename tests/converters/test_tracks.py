"""Bodies keep their places, whatever order an estimator gives them in."""
import numpy as np
import pytest

from umurl_mmaction.converters.tracks import (
    box_sizes,
    follow,
    main_bodies,
    match_costs,
)


def walk(start, step, num_frames, size=10., seed=0):
    """A body of 5 joints that moves steadily, (T, 5, 3) with scores."""
    shape = np.random.default_rng(seed).uniform(0, size, (5, 2))
    path = np.array(start) + np.arange(num_frames)[:, None] * np.array(step)
    coords = shape + path[:, None]
    return np.concatenate([coords, np.ones((num_frames, 5, 1))], axis=-1)


def test_size_is_the_diagonal_of_the_box():
    body = np.zeros((2, 3, 3))
    body[0] = [[1, 2, 1], [4, 6, .5], [100, 100, 0]]  # the last is missing
    np.testing.assert_array_equal(box_sizes(body), [5, 0])


def test_cost_is_the_mean_distance_of_common_joints_by_size():
    before = np.array([[[0., 0, 1], [3, 4, 1], [9, 9, 0]]])
    now = before + [1, 0, 0]
    now[0, 2] = [0, 0, 1]
    now[0, 1, 2] = 0  # so that only joint 0 is common, and is moved by 1
    np.testing.assert_allclose(match_costs(before, now), [[1 / 5]])
    now[0, 0, 2] = 0
    assert np.isinf(match_costs(before, now)).all()


def test_two_who_cross_keep_their_places():
    a, b = walk((0, 0), (3, 0), 40), walk((120, 4), (-3, 0), 40, seed=1)
    rng = np.random.default_rng(2)
    frames, order = [], []
    for t in range(40):
        order.append(rng.permutation(2))
        frames.append(np.stack([a[t], b[t]])[order[-1]])
    for track, which in zip(follow(frames), order[0]):
        # Where the body of the first frame stands in each of the others.
        assert track == {
            t: int(np.flatnonzero(order[t] == which)[0]) for t in range(40)}


@pytest.mark.parametrize('max_gap, num_tracks', [(5, 1), (4, 2)])
def test_who_is_away_too_long_is_another(max_gap, num_tracks):
    frames = list(walk((0, 0), (0, 0), 10)[:, None])
    for t in range(3, 8):
        frames[t] = np.zeros((0, 5, 3))
    assert len(follow(frames, max_gap)) == num_tracks


def test_who_is_too_far_is_another():
    frames = [walk((x, 0), (0, 0), 1) for x in (0, 0, 100)]
    assert follow(frames) == [{0: 0, 1: 0}, {2: 0}]


def test_long_large_and_sure_ones_are_kept():
    """Beside a short, a small and a doubtful one; first the largest."""
    large, main = (walk((0, 0), (0, 0), 20, 50),
                   walk((200, 0), (0, 0), 20, 30, 1))
    small, doubtful = (walk((300, 0), (0, 0), 20, 2, 2),
                       walk((400, 0), (0, 0), 20, 30, 3))
    doubtful[..., 2] = .05
    short = walk((500, 0), (0, 0), 20, 30, 4)
    frames = [
        np.stack([small[t], doubtful[t], main[t], large[t],
                  *([short[t]] if t < 3 else [])]) for t in range(20)]
    kept, left_out = main_bodies(frames, 2)
    np.testing.assert_array_equal(kept, [large, main])
    assert left_out == 3


def test_frames_without_anybody():
    kept, left_out = main_bodies([np.zeros((0, 5, 3))] * 4, 2)
    assert kept.shape == (0, 4, 5, 3) and not left_out
