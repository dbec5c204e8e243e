"""Timelines hold the numbers that they were given."""
import numpy as np
from matplotlib.colors import to_rgba

from umurl_mmaction.apis import Moment, Window
from umurl_mmaction.visualization import ClassNames
from umurl_mmaction.visualization.timeline import (
    MOMENT_COLOR,
    QUERY_COLOR,
    Curve,
    class_stretches,
    draw_classes,
    draw_moments,
    frame_scores,
)

FRAMES = np.array([[0, 4], [2, 6], [4, 8]])


def spans(axes):
    """Start, stop and colour of the marked frames."""
    return [(patch.get_x(), patch.get_x() + patch.get_width(),
             patch.get_facecolor()[:3]) for patch in axes.patches]


def test_moments_are_marked_in_their_recordings():
    curves = {
        name: Curve(FRAMES, np.array(values))
        for name, values in (('a', [0.1, 0.5, 0.2]), ('b', [0.3, 0.2, 0.9]),
                             ('none', [0.1, 0.1, 0.1]))
    }
    moments = [
        Moment(Window('b', 4, 8), 0.9, 5),
        Moment(Window('a', 2, 6), 0.5, 1),
        Moment(Window('b', 0, 4), 0.3, 3)
    ]
    figure = draw_moments(curves, moments, Window('a', 0, 2), 'like x')
    assert figure.get_suptitle() == 'like x'
    found, color = to_rgba(MOMENT_COLOR)[:3], to_rgba(QUERY_COLOR)[:3]
    b, a = figure.axes
    assert [x.get_title(loc='left') for x in (b, a)] == ['b', 'a']
    assert spans(b) == [(4, 8, found), (0, 4, found)]
    assert spans(a) == [(2, 6, found), (0, 2, color)]
    assert [x.get_text() for x in b.texts] == ['1', '3']
    assert [x.get_text() for x in a.texts] == ['2', 'query']
    line = next(x for x in b.lines if len(x.get_xdata()) == 3)
    assert line.get_xdata().tolist() == [2, 4, 6]
    assert line.get_ydata().tolist() == [0.3, 0.2, 0.9]


def test_a_picture_says_which_recordings_it_lacks():
    curves = {str(i): Curve(FRAMES, np.ones(3)) for i in range(14)}
    moments = [Moment(Window(str(i), 0, 4), 0.5, 0) for i in range(14)]
    figure = draw_moments(curves, moments)
    assert len(figure.axes) == 12
    assert figure.get_suptitle() == '12 of 14 recordings with a moment'


def test_a_frame_has_the_mean_score_of_its_windows():
    rng = np.random.default_rng(0)
    frames = np.array([[0, 4], [2, 6], [9, 12]])
    scores = rng.random((3, 2))
    got = frame_scores(frames, scores)
    assert got.shape == (12, 2)
    for t, row in enumerate(got):
        inside = (frames[:, 0] <= t) & (t < frames[:, 1])
        if inside.any():
            np.testing.assert_allclose(row, scores[inside].mean(axis=0))
        else:
            assert np.isnan(row).all()


def test_stretches_have_one_class_and_skip_frames_in_no_window():
    scores = np.array([[.9, .1], [.7, .3], [.2, .8], [np.nan] * 2, [.4, .6]])
    assert [(*x[:3], round(x[3], 6)) for x in class_stretches(scores)] == [
        (0, 2, 0, .8), (2, 3, 1, .8), (4, 5, 1, .6)
    ]
    frames = np.array([[0, 2], [2, 3], [4, 5]])
    figure = draw_classes(
        {'day': (frames, np.array([[.8, .2], [.2, .8], [.4, .6]]))},
        ClassNames(['sit', 'run', 'never']))
    found = spans(figure.axes[0])
    assert [x[:2] for x in found] == [(0, 2), (2, 3), (4, 5)]
    assert found[0][2] != found[1][2] == found[2][2]
    legend, = figure.legends
    assert [x.get_text() for x in legend.get_texts()] == ['sit', 'run']
