"""Skeleton layouts as data."""
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

# Sides in names such as `left_hand`, `LeftHand`, `hand_l` and `R.Hand`.
_SIDE = re.compile('left|right|(?<![a-z])[lr](?![a-z])')
_OTHER_SIDE = dict(left='right', right='left', l='r', r='l')


@dataclass(frozen=True)
class Layout:
    """The joints of a skeleton and the tree that they form.

    Args:
        name (str): Name used in messages.
        joints (tuple[str]): Joint names, in the order of the arrays.
        parents (tuple[int]): Index of each joint's parent; -1 marks the root.
        center (int): Joint that the normalisation moves to the origin.
            Defaults to 0.
        shoulders (tuple[int, int], optional): Start and end of the line that
            the normalisation turns onto +x. Defaults to None: no rotation.

    Raises:
        ValueError: If the parents are not one tree over the joints.
    """
    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    center: int = 0
    shoulders: Optional[tuple[int, int]] = None

    def __post_init__(self) -> None:
        num_joints = len(self.joints)
        if len(self.parents) != num_joints:
            raise ValueError(
                f'layout {self.name!r}: {num_joints} joint names but '
                f'{len(self.parents)} parents; one parent a joint is wanted')
        roots = [v for v, parent in enumerate(self.parents) if parent == -1]
        if len(roots) != 1:
            raise ValueError(f'layout {self.name!r}: exactly one root (parent '
                             f'-1) is wanted, got {len(roots)}: {roots}')
        references = [*self.parents, self.center, *(self.shoulders or ())]
        for v in references:
            if not -1 <= v < num_joints:
                raise ValueError(f'layout {self.name!r}: joint index {v} is '
                                 f'not in 0..{num_joints - 1}')
        for v in range(num_joints):
            seen: list[int] = []
            while v != -1:
                if v in seen:
                    raise ValueError(f'layout {self.name!r}: the parents of '
                                     f'joint {v} form a cycle: {seen}')
                seen.append(v)
                v = self.parents[v]

    @property
    def num_joints(self) -> int:
        """Number of joints V."""
        return len(self.joints)

    @property
    def bone_starts(self) -> tuple[int, ...]:
        """Start of each joint's bone: its parent; the root itself."""
        return tuple(v if parent == -1 else parent
                     for v, parent in enumerate(self.parents))

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Joint of the other side for each joint, by the names of the joints.

        A joint of neither side, or without a counterpart, is its own.
        """
        names = [name.lower() for name in self.joints]
        others = [
            _SIDE.sub(lambda side: _OTHER_SIDE[side[0]], name)
            for name in names
        ]
        found = [
            names.index(other) if other in names else v
            for v, other in enumerate(others)
        ]
        return tuple(w if found[w] == v else v for v, w in enumerate(found))

    @property
    def inner(self) -> tuple[int, ...]:
        """Each joint's neighbour towards the centre; the centre itself."""
        inner = list(self.bone_starts)
        v, before = self.center, self.center
        while v != -1:
            inner[v], before, v = before, v, self.parents[v]
        return tuple(inner)

    @property
    def limbs(self) -> tuple[tuple[int, ...], ...]:
        """For each joint: itself and all that hangs from it at the centre."""
        inner = self.inner
        limbs: list[list[int]] = [[] for _ in inner]
        for v in range(self.num_joints):
            w = v
            while w != self.center:
                limbs[w].append(v)
                w = inner[w]
            limbs[w].append(v)
        return tuple(map(tuple, limbs))

    @property
    def graph(self) -> dict[str, Any]:
        """The tree as MMAction2's ``Graph`` takes it for ``layout``.

        Raises:
            ValueError: If there is no bone.
        """
        inward = [(v, parent) for v, parent in enumerate(self.parents)
                  if parent != -1]
        if not inward:
            raise ValueError(f'layout {self.name!r} has no bones, so there is '
                             'no graph: two or more joints are wanted')
        return dict(
            num_node=self.num_joints,
            inward=inward,
            center=self.parents.index(-1))

    def to_dict(self) -> dict[str, Any]:
        """Describe the layout in lists, integers and strings.

        Returns:
            dict: The arguments of :class:`Layout`, for JSON, checkpoints and
            :func:`build_layout`.
        """
        return dict(
            name=self.name,
            joints=list(self.joints),
            parents=list(self.parents),
            center=self.center,
            shoulders=self.shoulders and list(self.shoulders))

    def check(self, shape: Sequence[int], what: str) -> None:
        """Check the number of joints of an array.

        Args:
            shape (sequence of int): Shape of the array, (..., V, C).
            what (str): Name of the array, for the message.

        Raises:
            ValueError: If V is another number.
        """
        if len(shape) < 2 or shape[-2] != self.num_joints:
            raise ValueError(
                f'{what} has shape {tuple(shape)}, but layout {self.name!r} '
                f'wants {self.num_joints} joints: (..., {self.num_joints}, C)')


# NTU RGB+D and PKU-MMD have the joint order of the Kinect v2 SDK (JointType).
# The bones are those of 2s-AGCN, with the spine-shoulder as the root.
_NTURGBD = Layout(
    name='nturgb+d',
    joints=('spine_base', 'spine_mid', 'neck', 'head', 'left_shoulder',
            'left_elbow', 'left_wrist', 'left_hand', 'right_shoulder',
            'right_elbow', 'right_wrist', 'right_hand', 'left_hip',
            'left_knee', 'left_ankle', 'left_foot', 'right_hip', 'right_knee',
            'right_ankle', 'right_foot', 'spine_shoulder', 'left_hand_tip',
            'left_thumb', 'right_hand_tip', 'right_thumb'),
    parents=(1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17,
             18, -1, 22, 7, 24, 11),
    center=1,
    shoulders=(4, 8))

# NW-UCLA, UTD-MHAD and MSRC-12 have the joint order of the Kinect v1 SDK
# (NUI_SKELETON_POSITION_INDEX).
_KINECT_V1 = Layout(
    name='kinect-v1',
    joints=('hip_center', 'spine', 'shoulder_center', 'head', 'left_shoulder',
            'left_elbow', 'left_wrist', 'left_hand', 'right_shoulder',
            'right_elbow', 'right_wrist', 'right_hand', 'left_hip',
            'left_knee', 'left_ankle', 'left_foot', 'right_hip', 'right_knee',
            'right_ankle', 'right_foot'),
    parents=(-1, 0, 1, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17,
             18),
    center=0,
    shoulders=(4, 8))

# The trees of `coco` and `openpose` follow the `inward` edges of MMAction2's
# `Graph`. Its transform `JointToBone` has other trees under the same names:
# for `coco`, it hangs both hips from the nose (here from the shoulder of their
# side); for `openpose`, its root is the nose, and the neck hangs from it (here
# the neck is the root). So the bones at these joints differ.

# Keypoints of the COCO person annotations.
_COCO = Layout(
    name='coco',
    joints=('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear',
            'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
            'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
            'right_knee', 'left_ankle', 'right_ankle'),
    parents=(-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
    center=0,
    shoulders=(5, 6))

# Body parts of OpenPose's 18-point COCO model.
_OPENPOSE = Layout(
    name='openpose',
    joints=('nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist',
            'left_shoulder', 'left_elbow', 'left_wrist', 'right_hip',
            'right_knee', 'right_ankle', 'left_hip', 'left_knee',
            'left_ankle', 'right_eye', 'left_eye', 'right_ear', 'left_ear'),
    parents=(1, -1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15),
    center=1,
    shoulders=(5, 2))

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (_NTURGBD, _KINECT_V1, _COCO, _OPENPOSE)
}


def build_layout(layout: Union[str, Mapping, Layout]) -> Layout:
    """Find a layout by its name, or make it from a description.

    Args:
        layout (str | dict | Layout): A key of ``LAYOUTS``, or the arguments
            of :class:`Layout` (``name`` may be left out).

    Returns:
        Layout: The layout.

    Raises:
        ValueError: If the name is unknown or the dict describes no layout.
    """
    if isinstance(layout, Layout):
        return layout
    if isinstance(layout, str):
        if layout not in LAYOUTS:
            raise ValueError(f'unknown layout {layout!r}; known are '
                             f'{sorted(LAYOUTS)}, or give a dict with '
                             "'joints' and 'parents'")
        return LAYOUTS[layout]
    fields = {'name': 'custom', **layout}
    for key in ('joints', 'parents', 'shoulders'):
        if fields.get(key) is not None:
            fields[key] = tuple(fields[key])
    try:
        return Layout(**fields)
    except TypeError as error:
        raise ValueError(f'layout {fields["name"]!r}: {error}') from error
