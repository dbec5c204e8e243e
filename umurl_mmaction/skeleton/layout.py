"""Skeleton layouts: joints, their tree, and what follows from both."""
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from .layouts import KNOWN_LAYOUTS

# Sides in names such as `left_hand`, `LeftHand`, `hand_l` and `R.Hand`.
_SIDE = re.compile('left|right|(?<![a-z])[lr](?![a-z])')
_OTHER_SIDE = dict(left='right', right='left', l='r', r='l')

# Parts of the body, and words in the names of their joints. Limbs come first:
# a forearm has no ear, and a hand is no head.
_PART_WORDS = dict(
    arm=re.compile('arm|shoulder|collar|clavicle|elbow|wrist|hand'),
    leg=re.compile('leg|hip|thigh|knee|shin|ankle|foot|heel|toe'),
    torso=re.compile('neck|chest|thorax|spine|torso|pelvis|root'),
    head=re.compile('head|face|nose|mouth|jaw|eye|ear'))


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
        source (str): Where the order of the joints is documented. It is no
            part of comparisons and descriptions. Defaults to ``''``.

    Raises:
        ValueError: If the parents are not one tree over the joints.
    """
    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    center: int = 0
    shoulders: Optional[tuple[int, int]] = None
    source: str = field(default='', compare=False)

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
        references = [v for v in self.parents if v != -1]
        references += [self.center, *(self.shoulders or ())]
        for v in references:
            if not 0 <= v < num_joints:
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
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The joints (left, right) of each pair, by their names."""
        return tuple((v, w) for v, w in enumerate(self.mirrored)
                     if v != w and _side_of(self.joints[v]) == 'left')

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Joints of each part of the body, by their names.

        A joint belongs where its name says, else where its parent belongs,
        and to the torso if none on the way to the root has a known name. Arms
        and legs need a side: ``hip_center`` is of the torso.

        Returns:
            dict[str, tuple[int, ...]]: ``head``, ``torso``, ``left_arm``,
            ``right_arm``, ``left_leg`` and ``right_leg``, in this order; every
            joint is in one of them, and a part may be empty.
        """
        names = ('head', 'torso', 'left_arm', 'right_arm', 'left_leg',
                 'right_leg')
        parts: dict[str, list[int]] = {name: [] for name in names}
        for v in range(self.num_joints):
            w = v
            while w != -1 and not _part_by_name(self.joints[w]):
                w = self.parents[w]
            part = _part_by_name(self.joints[w]) if w != -1 else 'torso'
            parts[part].append(v)
        return {name: tuple(joints) for name, joints in parts.items()}

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


def _side_of(joint: str) -> str:
    """``'left'``, ``'right'``, or '' if a joint's name tells no side."""
    side = _SIDE.search(joint.lower())
    if side is None:
        return ''
    return 'left' if side[0][0] == 'l' else 'right'


def _part_by_name(joint: str) -> str:
    """Part of the body that a joint's name tells; '' if it tells none."""
    name, side = joint.lower(), _side_of(joint)
    for part, words in _PART_WORDS.items():
        if words.search(name):
            if part not in ('arm', 'leg'):
                return part
            return f'{side}_{part}' if side else 'torso'
    return ''


LAYOUTS: dict[str, Layout] = {
    name: Layout(name=name, **facts)
    for name, facts in KNOWN_LAYOUTS.items()
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
