"""What a set of clips is like, before anything is learned from it."""
from .copies import find_copies
from .findings import (
    Finding,
    copies_line,
    find_all,
    line_of,
    torso_of,
    units_of,
    up_axis,
)
from .measure import SetMeasures, layout_by_joints
from .splits import (
    class_counts,
    clips_of_splits,
    find_in_pair,
    find_in_splits,
    split_pairs,
)

__all__ = [
    'Finding', 'SetMeasures', 'class_counts', 'clips_of_splits',
    'copies_line', 'find_all', 'find_copies', 'find_in_pair',
    'find_in_splits', 'layout_by_joints', 'line_of', 'split_pairs',
    'torso_of', 'units_of', 'up_axis'
]
