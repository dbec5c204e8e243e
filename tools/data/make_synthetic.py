"""Make a procedural skeleton action set in MMAction2's annotation format.

A 25-joint body in the ``nturgb+d`` layout is moved by forward kinematics and
seen by a simulated depth sensor. It is a default to try the pipeline with,
not a benchmark.
"""
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
from converter_arguments import at_least, make_parser

EPILOG = '''example:
  python tools/data/make_synthetic.py data/synthetic.pkl --seed 0
'''

# The body -----------------------------------------------------------------
# Body frame: x to the body's left, y up, z to its front; arms hang at rest.
# So a negative turn about x swings a limb to the front, and a positive one
# bends the trunk to the front.
BASE, SPINE, NECK, HEAD, CHEST = 0, 1, 2, 3, 20
L_SHOULDER, L_ELBOW, L_HIP, L_KNEE, L_FOOT = 4, 5, 12, 13, 15
R_SHOULDER, R_ELBOW, R_HIP, R_KNEE, R_FOOT = 8, 9, 16, 17, 19
SHOULDERS, ELBOWS = (L_SHOULDER, R_SHOULDER), (L_ELBOW, R_ELBOW)
HIPS, KNEES, FEET = (L_HIP, R_HIP), (L_KNEE, R_KNEE), (L_FOOT, R_FOOT)
NUM_JOINTS, NUM_FRAMES = 25, (32, 120)
LEFT = [4, 5, 6, 7, 21, 22, 12, 13, 14, 15]
RIGHT = [8, 9, 10, 11, 23, 24, 16, 17, 18, 19]
SWAP = np.arange(NUM_JOINTS)
SWAP[LEFT + RIGHT] = RIGHT + LEFT

# Joint, parent, offset from the parent in metres; parents first.
_TRUNK = ((SPINE, BASE, (0, .28, 0)), (CHEST, SPINE, (0, .22, 0)),
          (NECK, CHEST, (0, .07, 0)), (HEAD, NECK, (0, .16, .02)))
_LEFT = ((4, 20, (.18, -.04, 0)), (5, 4, (0, -.28, 0)), (6, 5, (0, -.25, 0)),
         (7, 6, (0, -.08, 0)), (22, 7, (0, -.02, .05)),
         (21, 22, (0, -.06, -.05)), (12, 0, (.09, -.06, 0)),
         (13, 12, (0, -.42, 0)), (14, 13, (0, -.4, 0)),
         (15, 14, (.01, -.06, .12)))
BONES = [(j, p) for j, p, _ in _TRUNK + _LEFT]
BONES += [(int(SWAP[j]), int(SWAP[p])) for j, p, _ in _LEFT]
OFFSETS = np.zeros((NUM_JOINTS, 3))
for _j, _p, _offset in _TRUNK + _LEFT:
    OFFSETS[SWAP[_j]] = np.array(_offset) * (-1, 1, 1)
    OFFSETS[_j] = _offset
# Segments that differ in length from body to body, left side and trunk.
_SEGMENTS = ([SPINE, CHEST], [4], [5, 6, 7, 21, 22], [12], [13, 14, 15])


def rotation(angles: np.ndarray) -> np.ndarray:
    """Turn Euler angles into matrices ``Rz @ Rx @ Ry``.

    Args:
        angles (np.ndarray): Degrees about x, y and z, shape (..., 3).

    Returns:
        np.ndarray: Rotation matrices, shape (..., 3, 3).
    """
    (sx, sy, sz), (cx, cy, cz) = (
        np.moveaxis(f(np.deg2rad(angles)), -1, 0) for f in (np.sin, np.cos))
    matrix = [
        cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy,
        sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy,
        -cx * sy, sx, cx * cy]
    return np.stack(matrix, -1).reshape(angles.shape[:-1] + (3, 3))


def forward_kinematics(angles: np.ndarray,
                       offsets: np.ndarray = OFFSETS) -> np.ndarray:
    """Place every joint from the turns along its parent chain.

    Args:
        angles (np.ndarray): Turn of each joint in degrees, (T, V, 3).
        offsets (np.ndarray): Joint from parent at rest in metres, (V, 3).

    Returns:
        np.ndarray: Joints with the base of the spine at 0, (T, V, 3).
    """
    turns = rotation(angles)
    joints = np.zeros(angles.shape)
    for joint, parent in BONES:
        turn = turns[:, parent]
        joints[:, joint] = joints[:, parent] + turn @ offsets[joint]
        turns[:, joint] = turn @ turns[:, joint]
    return joints


def mirror(angles: np.ndarray) -> np.ndarray:
    """Swap left and right in the turns of the joints, (T, V, 3)."""
    return angles[:, SWAP] * (1, -1, -1)


# The motions --------------------------------------------------------------
# Each takes the progress p of the action, from 0 to 1, and gives the turns
# (x, y, z) of its joints in degrees and, as WAY, the step to the front in
# metres. They move the left hand or foot; mirroring gives the right one.
WAY = 'way'


class Style(NamedTuple):
    """How one clip performs its action."""
    amp: float = 1.  # size of the movement
    cycles: float = 3.  # swings of the repeating actions
    phase: float = 0.  # where the first swing begins, in radians


def _rise(p: np.ndarray, start: float, end: float) -> np.ndarray:
    """Go smoothly from 0 before ``start`` to 1 after ``end``."""
    x = np.clip((p - start) / (end - start), 0, 1)
    return x * x * (3 - 2 * x)


def _hold(p: np.ndarray, a: float, b: float, c: float, d: float) -> np.ndarray:
    """Rise over [a, b], stay at 1, and fall over [c, d]."""
    return _rise(p, a, b) - _rise(p, c, d)


def _swing(p: np.ndarray, s: Style) -> np.ndarray:
    return np.sin(2 * np.pi * s.cycles * p + s.phase)


def wave(p: np.ndarray, s: Style) -> dict:
    """Raise an arm to the side and swing the forearm."""
    up = _hold(p, 0, .22, .78, 1)
    bend = up * (75 + 35 * s.amp * _swing(p, s))
    return {L_SHOULDER: (-15 * up, 80 * up, 75 * up), L_ELBOW: (-bend, 0, 0)}


def kick(p: np.ndarray, s: Style) -> dict:
    """Draw a leg back and kick to the front."""
    back, out = _hold(p, 0, .3, .3, .5), s.amp * _hold(p, .3, .55, .6, 1)
    return {
        L_HIP: (25 * back - 70 * out, 0, 0),
        L_KNEE: (70 * back + 15 * _hold(p, .6, .75, .75, 1), 0, 0),
        SPINE: (8 * back - 12 * out, 12 * (back - out), 0),
        L_SHOULDER: (30 * (out - back), 0, 0),
        R_SHOULDER: (35 * (back - out), 0, -15 * out)}


def sit_down(p: np.ndarray, s: Style) -> dict:
    """Lower the body onto a seat behind it."""
    down = _rise(p, .05, .95)
    return {
        **dict.fromkeys(HIPS, (-80 * down, 0, 0)),
        **dict.fromkeys(KNEES, (80 * down, 0, 0)),
        **dict.fromkeys(SHOULDERS, (-20 * down, 0, 0)),
        **dict.fromkeys(ELBOWS, (-35 * down, 0, 0)),
        SPINE: (40 * s.amp * np.sin(np.pi * down), 0, 0),
        WAY: -.4 * down}


def pick_up(p: np.ndarray, s: Style) -> dict:
    """Bend, reach for the floor with a hand, come up holding a thing."""
    bend, carry = s.amp * _hold(p, 0, .42, .52, .95), _rise(p, .5, .95)
    return {
        SPINE: (70 * bend, 0, 0),
        **dict.fromkeys(HIPS, (-60 * bend, 0, 0)),
        **dict.fromkeys(KNEES, (80 * bend, 0, 0)),
        L_SHOULDER: (-80 * bend - 15 * carry, 0, 0),
        L_ELBOW: (-80 * carry, 0, 0),
        R_SHOULDER: (-55 * bend, 0, 0),
        WAY: -.12 * bend}


def put_on_hat(p: np.ndarray, s: Style) -> dict:
    """Lift a hat from the waist to the head, then drop the hand."""
    held, up = 1 - _rise(p, .05, .4), _hold(p, .05, .4, .65, .95)
    return {
        L_SHOULDER: (-15 * held - (75 + 20 * s.amp) * up, 0, 30 * up),
        L_ELBOW: (-80 * held - up * (115 + 6 * _swing(p, s)), 0, 0),
        NECK: (18 * up, 0, 0)}


def shake_hands(p: np.ndarray, s: Style) -> dict:
    """Hold a hand out and move it up and down."""
    out, shake = _hold(p, 0, .25, .75, 1), 18 * s.amp * _swing(p, s)
    return {
        L_SHOULDER: (-out * (45 + .5 * shake), -20 * out, 0),
        L_ELBOW: (-out * (40 + shake), 0, 0),
        SPINE: (10 * out, 0, 0)}


def push(p: np.ndarray, s: Style) -> dict:
    """Draw both hands to the chest and thrust them out."""
    draw, out = _hold(p, 0, .25, .3, .45), s.amp * _hold(p, .3, .45, .6, 1)
    return {
        **dict.fromkeys(SHOULDERS, (10 * draw - 75 * out, 0, 0)),
        **dict.fromkeys(ELBOWS, (-110 * draw - 10 * out, 0, 0)),
        SPINE: (20 * out - 8 * draw, 0, 0),
        L_HIP: (-25 * out, 0, 0),
        R_HIP: (15 * out, 0, 0),
        WAY: .15 * out}


def stagger(p: np.ndarray, s: Style) -> dict:
    """Reel back from a push."""
    hit = s.amp * _hold(p, .4, .55, .65, 1)
    return {
        SPINE: (-22 * hit, 0, 0),
        L_SHOULDER: (-30 * hit, 0, 30 * hit),
        R_SHOULDER: (-30 * hit, 0, -30 * hit),
        R_HIP: (30 * hit, 0, 0),
        R_KNEE: (10 * hit, 0, 0),
        WAY: -.3 * s.amp * _rise(p, .4, .7)}


def step_up(p: np.ndarray, s: Style) -> dict:
    """Walk to the front and come to a halt."""
    go, turn = _hold(p, 0, .15, .85, 1), np.pi * s.cycles * p + s.phase
    swing, lift = go * s.amp * np.sin(turn), go * np.cos(turn) / 2
    left, right = go / 2 + lift, go / 2 - lift
    return {
        L_HIP: (-25 * swing - 12 * left, 0, 0),
        R_HIP: (25 * swing - 12 * right, 0, 0),
        L_KNEE: (35 * left, 0, 0),
        R_KNEE: (35 * right, 0, 0),
        L_SHOULDER: (22 * swing, 0, 0),
        R_SHOULDER: (-22 * swing, 0, 0),
        WAY: .6 * s.amp * (_rise(p, 0, 1) - 1)}


class Action(NamedTuple):
    """A class of the set: who moves how.

    A ``partner`` makes it a two-person action. ``lateral`` ones are told
    apart by their side; the others are done with either side.
    """
    name: str
    motion: Callable[[np.ndarray, Style], dict]
    partner: Optional[Callable[[np.ndarray, Style], dict]] = None
    mirrored: bool = False
    reverse: bool = False
    lateral: bool = False


ACTIONS = (
    Action('wave left hand', wave, lateral=True),
    Action('wave right hand', wave, mirrored=True, lateral=True),
    Action('kick with left foot', kick, lateral=True),
    Action('kick with right foot', kick, mirrored=True, lateral=True),
    Action('sit down', sit_down),
    Action('stand up', sit_down, reverse=True),
    Action('pick up', pick_up),
    Action('put down', pick_up, reverse=True),
    Action('put on a hat', put_on_hat),
    Action('take off a hat', put_on_hat, reverse=True),
    Action('shake hands', shake_hands, shake_hands),
    Action('push', push, stagger),
    Action('step towards each other', step_up, step_up),
    Action('step away from each other', step_up, step_up, reverse=True),
)


def perform(action: Action, progress: np.ndarray,
            style: Style) -> list[tuple[np.ndarray, np.ndarray]]:
    """Move each person of an action, free of sway and sensor.

    Args:
        action (Action): What is done.
        progress (np.ndarray): How much of it is done, in [0, 1], (T, ).
        style (Style): How it is done.

    Returns:
        list[tuple[np.ndarray, np.ndarray]]: For each person the turns of
        the joints in degrees (T, V, 3) and the way to the front in
        metres (T, ).
    """
    progress = 1 - progress if action.reverse else progress
    people = []
    for motion in filter(None, (action.motion, action.partner)):
        moves = motion(progress, style)
        way = moves.pop(WAY, np.zeros(len(progress)))
        angles = np.zeros((len(progress), NUM_JOINTS, 3))
        for joint, turns in moves.items():
            angles[:, joint] = np.stack(np.broadcast_arrays(*turns), -1)
        people.append((mirror(angles) if action.mirrored else angles, way))
    return people


# The clip -----------------------------------------------------------------
def _draw_body(rng: np.random.Generator) -> np.ndarray:
    """Draw joint offsets in metres, (V, 3)."""
    scale = np.ones((NUM_JOINTS, 1))
    for segment in _SEGMENTS:
        scale[segment] = rng.uniform(.9, 1.1)
    scale[RIGHT] = scale[LEFT]
    return OFFSETS * scale * rng.uniform(.82, 1.12)


def _draw_idle(num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a rest pose and a slow sway about it, in degrees, (T, V, 3)."""
    size = np.full((NUM_JOINTS, 3), 2.4)
    size[SHOULDERS, :], size[ELBOWS, :], size[NECK] = 10, 12, 7
    size[BASE, 1] = 24  # people also turn about
    time = np.arange(num_frames)[:, None, None] / 30
    rate = rng.uniform(.1, .6, size.shape)
    phase = rng.uniform(0, 2 * np.pi, size.shape)
    rest = rng.normal(scale=size)
    rest[SHOULDERS, 2] += 8, -8
    rest[ELBOWS, 0] -= rng.choice([10, 25, 70], 2)
    return rest + size * np.sin(2 * np.pi * rate * time + phase)


def _sense(joints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add the sensor's faults to one body, (T, V, 3)."""
    num_frames = len(joints)
    joints = joints + rng.normal(scale=.012, size=joints.shape)
    for _ in range(rng.poisson(num_frames / 30)):  # a joint guessed wrongly
        start, length = rng.integers(num_frames), rng.integers(2, 9)
        joint, error = rng.integers(NUM_JOINTS), rng.normal(scale=.12, size=3)
        joints[start:start + length, joint] += error
    if rng.random() < .3:  # the body is lost; a clip begins with one found
        start = rng.integers(1, num_frames)
        joints[start:start + rng.integers(1, 6)] = 0
    return joints


def make_clip(seed: int, subject: int, label: int, repeat: int) -> np.ndarray:
    """Make one clip; nothing but the arguments changes it.

    Args:
        seed (int): Seed of the set.
        subject (int): Who acts.
        label (int): What is done, an index of ``ACTIONS``.
        repeat (int): Which of the subject's tries it is.

    Returns:
        np.ndarray: Joints in metres in camera coordinates (y up, z depth),
        float32, shape (M, T, V, 3).
    """
    body_rng, rng = (
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        for key in ((subject, ), (subject, label, repeat)))
    action = ACTIONS[label]
    num_frames = int(rng.integers(*NUM_FRAMES, endpoint=True))
    share = rng.uniform(.35, .95)
    start = rng.uniform(0, 1 - share)
    progress = np.linspace(-start, 1 - start, num_frames) / share
    progress = np.clip(progress, 0, 1)**np.exp(rng.normal(scale=.2))
    style = Style(
        rng.uniform(.6, 1.2), rng.uniform(2, 4.5), rng.uniform(0, 2 * np.pi))
    flip = not action.lateral and rng.random() < .5

    people = perform(action, progress, style)
    gap = rng.uniform(.8, 1.2) if len(people) == 2 else 0
    bodies = []
    for i, (angles, way) in enumerate(people):
        # The partner is a stranger, so no subject is on both sides of split.
        offsets = _draw_body(rng if i else body_rng)
        angles = mirror(angles) if flip else angles
        angles = angles + _draw_idle(num_frames, rng)
        angles[:, ELBOWS, 0] = angles[:, ELBOWS, 0].clip(-150, 0)
        angles[:, KNEES, 0] = angles[:, KNEES, 0].clip(0, 150)
        joints = forward_kinematics(angles, offsets)
        joints[..., 1] -= joints[:, FEET, 1].min(1)[:, None]
        joints[..., 2] += way[:, None] - gap / 2
        bodies.append(joints * (-1, 1, -1) if i else joints)

    # One person is seen from the front, two from the side.
    yaw = rng.uniform(-75, 75) + (rng.choice([-90, 90]) if gap else 180)
    tilt, roll = rng.uniform(-5, 15), rng.uniform(-4, 4)
    camera = rotation(np.array([-tilt, yaw, roll]))
    place = rng.uniform((-.6, -1.1, 2.4), (.6, -.7, 4.2))
    clip = np.stack([_sense(b @ camera.T + place, rng) for b in bodies])
    return rng.permutation(clip).astype(np.float32)


# The set ------------------------------------------------------------------
def make_dataset(seed: int = 0,
                 num_subjects: int = 16,
                 repeats: int = 4,
                 track: Callable = iter) -> dict[str, Any]:
    """Make the whole set.

    Args:
        seed (int): Same seed, same set. Defaults to 0.
        num_subjects (int): Number of people, at least 2. Every fourth,
            from the second on, is in ``val``. Defaults to 16.
        repeats (int): Clips of each action of each subject. Defaults to 4.
        track (Callable): Wraps the list of clips to go through, as
            ``mmengine.track_iter_progress`` does. Defaults to ``iter``.

    Returns:
        dict: ``split``, ``annotations``, ``classes`` and ``skeleton``.
    """
    if seed < 0 or num_subjects < 2 or repeats < 1:
        raise ValueError(
            'need seed >= 0, num_subjects >= 2 and repeats >= 1, got '
            f'{seed}, {num_subjects} and {repeats}')
    split: dict[str, list[str]] = dict(train=[], val=[])
    annotations = []
    for subject, label, repeat in track([
            (subject, label, repeat) for subject in range(num_subjects)
            for label in range(len(ACTIONS)) for repeat in range(repeats)]):
        name = f'P{subject + 1:03d}R{repeat + 1:03d}A{label + 1:03d}'
        split['val' if subject % 4 == 1 else 'train'].append(name)
        clip = make_clip(seed, subject, label, repeat)
        annotations.append(
            dict(
                frame_dir=name,
                label=label,
                total_frames=clip.shape[1],
                keypoint=clip))
    classes = [action.name for action in ACTIONS]
    return dict(
        split=split,
        annotations=annotations,
        classes=classes,
        skeleton='nturgb+d')


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'out', type=Path, metavar='OUT',
        help='file to write, .pkl or .npz')
    parser.add_argument(
        '--seed', type=at_least(0), default=0,
        help='same seed, same bytes (0)')
    parser.add_argument(
        '--subjects', type=at_least(2), default=16,
        help='people, at least 2; every fourth is in val (16)')
    parser.add_argument(
        '--repeats', type=at_least(1), default=4,
        help='clips per person and action, at least 1 (4)')
    args = parser.parse_args(argv)
    # Imported late: --help and importers of this file need numpy only.
    from umurl_mmaction.command_line import (
        check_suffix,
        make_folders,
        one_line_errors,
    )
    from umurl_mmaction.fileio.annotations import save_annotations
    from umurl_mmaction.progress import track
    check_suffix(parser, 'OUT', args.out)
    make_folders(parser, [args.out])
    with one_line_errors(str(args.out)):
        dataset = make_dataset(args.seed, args.subjects, args.repeats, track)
        save_annotations(dataset, args.out)
    clips = [anno['keypoint'] for anno in dataset['annotations']]
    pairs = sum(len(clip) == 2 for clip in clips)
    frames = sum(clip.shape[1] for clip in clips)
    train, val = (len(dataset['split'][part]) for part in ('train', 'val'))
    print(f'{len(clips)} clips ({train} train, {val} val), '
          f'{len(ACTIONS)} classes, {args.subjects} subjects, '
          f'{frames} frames, {len(clips) - pairs} clips of one body and '
          f'{pairs} of two\nwritten to {args.out}')


if __name__ == '__main__':
    main()
