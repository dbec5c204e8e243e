"""What the measures of a set mean for training, in sentences.

The limits stand between what GTU 3D Actions, NW-UCLA, UTD-MHAD, MSRC-12 and
the synthetic set show and what they show once they are spoilt. Numbers behind
a limit are those of the five sets.
"""
from typing import NamedTuple, Optional

import numpy as np

from .copies import Copies
from .measure import AWAY, PIXELS, SetMeasures

# A person spans 1.4 to 1.6 in metres; a child that crawls and two arms
# stretched out stay within these.
METRES = (0.5, 3.)
# The same in lengths of a torso, of which a person spans 3, or of a bone.
SCALED = (0.5, 12.)
# A rotation about the vertical axis alone changes nothing along it, and has no
# noisy axis: it is not refused.
TILTED = 1e-3
# Shoulders named in the wrong order point to -x in 80 to 100 % of the clips.
REVERSED = 0.7
# Sides look wrong in 0 to 1 % of the clips with feet, in 4 to 47 % where knees
# and elbows alone tell; once they are swapped, in the rest.
SWAPPED = 0.6
# The direction that is up has this share of a unit vector along an axis in
# all five sets: 0.97 and more.
UPRIGHT = 0.7
# Of NW-UCLA's clips, 4 % have a jump, of the others none.
JUMPS = 0.1
# The synthetic set lacks 1 % of the frames, as NTU RGB+D does.
EMPTY = 0.1
# A joint that is missing more often is one that nobody sees.
MISSING = 0.5


class Finding(NamedTuple):
    """Something that is likely to spoil a training.

    Args:
        text (str): One line.
        refused (bool): Whether to train nevertheless needs consent. Defaults
            to False.
    """
    text: str
    refused: bool = False


def _percent(share: float) -> str:
    return f'{100 * share:.0f} %'


def _spread(measures: SetMeasures) -> float:
    spreads = measures.stack('spread')
    return float(np.median(spreads)) if len(spreads) else np.nan


def _depth(measures: SetMeasures) -> Optional[tuple[float, float]]:
    depth = measures.stack('depth')
    if not len(depth):
        return None
    return float(depth[:, 0].min()), float(depth[:, 1].max())


def _has_score(measures: SetMeasures) -> bool:
    """Tell whether the third coordinate is a score from 0 to 1."""
    depth = _depth(measures)
    return (depth is not None and _spread(measures) > PIXELS
            and 0 <= depth[0] and depth[1] <= 1)


def units_of(measures: SetMeasures) -> str:
    """Guess the unit of the coordinates by the size of a person.

    Args:
        measures (SetMeasures): The measures.

    Returns:
        str: ``'metres'``, ``'millimetres'``, ``'centimetres'``,
        ``'pixels'``, ``'shares'`` (2D within 0 to 1 or -1 to 1) or
        ``'unknown'``.
    """
    spread = _spread(measures)
    if measures.num_coords == 2:
        return 'pixels' if spread > PIXELS else 'shares'
    if _has_score(measures):
        return 'pixels'
    # A person's size of 1.5 m in each unit.
    for unit, size in (('metres', 1), ('centimetres', 100),
                       ('millimetres', 1000)):
        if METRES[0] * size <= spread <= METRES[1] * size:
            return unit
    return 'unknown'


def torso_of(measures: SetMeasures) -> Optional[float]:
    """Return the median torso of the clips; None if no joints tell it."""
    torsos = measures.stack('torso')
    return float(np.median(torsos)) if len(torsos) else None


def up_axis(measures: SetMeasures) -> Optional[str]:
    """Find the axis along which most bodies stand.

    Args:
        measures (SetMeasures): The measures.

    Returns:
        str | None: Such as ``'y'`` or ``'-y'``; None without an axis that
        most bodies agree on, or joints whose names tell high from low.
    """
    ups = measures.stack('up')
    if not len(ups):
        return None
    mean = ups.mean(axis=0)
    axis = int(np.abs(mean).argmax())
    if abs(mean[axis]) < UPRIGHT:
        return None
    return ('-' if mean[axis] < 0 else '') + 'xyz'[axis]


def swapped_share(measures: SetMeasures) -> float:
    """Return the share of clips whose right joints look like left ones.

    Args:
        measures (SetMeasures): The measures.

    Returns:
        float: 0 to 1; NaN if it cannot be told.
    """
    sides = measures.stack('side')
    return float((sides < 0).mean()) if len(sides) else np.nan


def _find_units(measures: SetMeasures) -> list[Finding]:
    units, spread = units_of(measures), _spread(measures)
    if _has_score(measures):
        return [Finding(
            f'units: a person spans {spread:.4g} and the third coordinate is '
            'from 0 to 1: pixels with a score, no depth; wanted are '
            'SkeletonPreNormalize2D in prepare and in_channels=2')]
    if measures.num_coords == 2:
        if units == 'shares' and measures.by_image:
            return [Finding(
                f'units: a person spans {spread:.3g}, no pixels: '
                'SkeletonPreNormalize2D would scale them once more; wanted '
                "are pixels, or its scale_by='body'")]
        if units == 'pixels' and measures.keeps_pixels:
            return [Finding(
                f'units: a person spans {spread:.4g}: these look like pixels, '
                'and nothing scales them; wanted is SkeletonPreNormalize2D in '
                'prepare')]
        return []
    if units == 'metres' or np.isnan(spread):
        return []
    if measures.scale != 1 and SCALED[0] <= spread / measures.scale <= (
            SCALED[1]):
        return []
    guess = '' if units == 'unknown' else f': these look like {units}'
    torso = torso_of(measures)
    said = '' if torso is None else f', such as {torso:.4g}, a torso'
    return [Finding(
        f'units: a person spans {spread:.4g}, wanted are metres (1 to 2)'
        f'{guess}; set scale in SkeletonPreNormalize to the length that is '
        f'to become 1{said}')]


def _find_shoulders(measures: SetMeasures) -> list[Finding]:
    layout, share = measures.layout, measures.away_share
    if (not measures.rotates or layout is None or layout.shoulders is None
            or not share > AWAY):
        return []
    if measures.tilted is not None and measures.tilted < TILTED:
        return []
    start, end = layout.shoulders
    names = layout.joints
    # Of joints that do not stand up like bodies, this says too little.
    bodies = up_axis(measures) is not None or not len(measures.stack('up'))
    return [Finding(
        f'shoulders: [{start}, {end}] ({names[start]}, {names[end]}) of the '
        f'layout {layout.name!r} point to -x in {_percent(share)} of the '
        'clips, so that the normalisation would make half a turn about an '
        f'axis that noise decides: shoulders=[{end}, {start}] ({names[end]}, '
        f'{names[start]}) is meant', bodies and share > REVERSED)]


def _find_sides(measures: SetMeasures) -> list[Finding]:
    share = swapped_share(measures)
    if not share > SWAPPED:
        return []
    reason = 'one axis is mirrored'
    if measures.num_coords == 2:
        reason = 'the images are mirrored, or people are seen from behind'
    return [Finding(
        'sides: the joints that the layout calls left are on the right side '
        f'of the body in {_percent(share)} of the clips: the names are '
        f'swapped, or {reason}')]


def _find_up(measures: SetMeasures) -> list[Finding]:
    if measures.num_coords == 2 or not len(measures.stack('up')):
        return []
    if up_axis(measures) is None:
        mean = np.round(measures.stack('up').mean(axis=0), 2).tolist()
        return [Finding(
            'up: bodies do not stand along one axis, their mean direction '
            f'from feet to head is {mean}: cameras that are tilted, or '
            'joints in another order than the layout')]
    return []


def _find_missing(measures: SetMeasures) -> list[Finding]:
    found = []
    frames = sum(clip.num_frames for clip in measures.clips)
    empty = sum(clip.empty_frames for clip in measures.clips)
    if empty > EMPTY * frames:
        found.append(Finding(
            f'empty frames: {empty} of {frames} frames have no joint '
            f'({_percent(empty / frames)})'))
    missing = np.sum([clip.missing for clip in measures.clips], axis=0)
    seen = max(frames - empty, 1)
    gone = np.flatnonzero(missing > MISSING * seen)
    if len(gone):
        names = [str(v) for v in gone]
        if measures.layout is not None:
            names = [f'{v} ({measures.layout.joints[v]})' for v in gone]
        found.append(Finding(
            f'empty joints: {", ".join(names)} missing in '
            f'{_percent(missing[gone].min() / seen)} of the frames or more'))
    return found


def _find_jumps(measures: SetMeasures) -> list[Finding]:
    jumping = sum(clip.jumps > 0 for clip in measures.clips)
    if jumping <= JUMPS * len(measures.clips):
        return []
    return [Finding(
        f'jumps: in {jumping} of {len(measures.clips)} clips the body moves '
        'by more than half its size from a frame to the next: bodies that '
        'take turns in one track, or frames left out')]


def find_all(measures: SetMeasures) -> list[Finding]:
    """Say what is likely to spoil a training.

    Args:
        measures (SetMeasures): The measures.

    Returns:
        list[Finding]: What is wrong, what is refused first.
    """
    return [
        *_find_shoulders(measures), *_find_sides(measures),
        *_find_units(measures), *_find_up(measures),
        *_find_missing(measures), *_find_jumps(measures)
    ]


def copies_line(copies: Copies, queries: str, gallery: str) -> str:
    """Say in one line how many clips two sets share.

    Args:
        copies (Copies): What was found.
        queries (str): Name of their set.
        gallery (str): Name of the other set.

    Returns:
        str: The line; empty if there is none.
    """
    count = len(copies.equal) + len(copies.centered)
    if not count:
        return ''
    return (f'copies: {count} of {copies.asked} clips of {queries!r} are in '
            f'{gallery!r} as well ({len(copies.equal)} equal to the bit, '
            f'{len(copies.centered)} after centring)')


def line_of(measures: SetMeasures) -> str:
    """Describe a set in one line: size, units, up and shoulders.

    Args:
        measures (SetMeasures): The measures.

    Returns:
        str: The line.
    """
    parts = [f'a person spans {_spread(measures):.3g}, '
             f'{units_of(measures)}']
    up = up_axis(measures)
    parts.append(f'{up} is up' if up else 'no axis is known to be up')
    if measures.rotates and len(measures.stack('line')):
        parts.append('shoulders point to -x in '
                     f'{_percent(measures.away_share)}')
    if len(measures.stack('side')):
        parts.append(f'sides as named in '
                     f'{_percent(1 - swapped_share(measures))}')
    torso = torso_of(measures)
    if torso is not None and measures.num_coords == 3:
        parts.append(f'a torso is {torso:.3g}')
    return f'{len(measures.clips)} clips looked at: ' + '; '.join(parts)
