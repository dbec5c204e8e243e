"""Which samples of each class are drawn."""
import numpy as np
import pytest

from umurl_mmaction.datasets.subset import class_balanced_subset


@pytest.mark.parametrize('fraction, counts', [(0.01, (1, 1, 1)),
                                              (0.1, (10, 2, 1)),
                                              (1.0, (100, 20, 1))])
def test_subset_is_class_balanced_with_one_of_each(fraction, counts):
    labels = [0] * 100 + [1] * 20 + [2]
    drawn = class_balanced_subset(labels, fraction)
    assert drawn == sorted(set(drawn))
    assert tuple(sum(labels[i] == c for i in drawn)
                 for c in range(3)) == counts
    assert drawn == class_balanced_subset(labels, fraction)
    if 0.01 < fraction < 1:
        assert drawn != class_balanced_subset(labels, fraction, seed=1)


def test_a_smaller_subset_is_part_of_a_larger_one():
    labels = [i % 7 for i in range(700)]
    small, large = (set(class_balanced_subset(labels, f)) for f in (.05, .1))
    assert small < large


def test_subset_is_drawn_evenly():
    hits = [0] * 20
    for seed in range(400):
        for i in class_balanced_subset([0] * 20, 0.25, seed):
            hits[i] += 1
    # 400 draws at 1/4: five standard deviations are 43.
    assert all(abs(n - 100) < 44 for n in hits)


@pytest.mark.parametrize('fraction', [0, -0.1, 1.5])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match='above 0 and at most 1'):
        class_balanced_subset([0, 1], fraction)


def test_a_share_is_rounded_to_the_nearest_number():
    labels = [0] * 7 + [1] * 7
    drawn = class_balanced_subset(labels, 0.4)  # 2.8 of 7
    assert np.bincount(np.array(labels)[drawn]).tolist() == [3, 3]


def test_other_classes_do_not_change_the_draw():
    labels = [0] * 7 + [1] * 7
    more = class_balanced_subset(labels + [2] * 9, 0.4)
    assert [i for i in more if i < 14] == class_balanced_subset(labels, 0.4)
