"""Limbs of a skeleton, found in its layout."""
import colorsys

from matplotlib.colors import TABLEAU_COLORS, to_hex

from ..skeleton.layout import Layout

ROOT_COLOR = '#444444'


def find_limbs(layout: Layout) -> tuple[tuple[int, ...], ...]:
    """Divide the tree of joints into limbs.

    A limb starts at each child of the root and of a joint with several
    children, and ends before the next limb starts. A bone belongs to the limb
    of the joint that it leads to.

    Returns:
        tuple[tuple[int, ...], ...]: Joints of each limb, from the root
        outwards, in the order of their first joints. Every joint except the
        root is in one limb.
    """
    children: list[list[int]] = [[] for _ in layout.joints]
    for joint, parent in enumerate(layout.parents):
        if parent != -1:
            children[parent].append(joint)
    limbs = []
    for joint, parent in enumerate(layout.parents):
        at_root = parent != -1 and layout.parents[parent] == -1
        if parent == -1 or not (at_root or len(children[parent]) > 1):
            continue
        limb = [joint]
        while len(children[limb[-1]]) == 1:
            limb += children[limb[-1]]
        limbs.append(tuple(limb))
    return tuple(limbs)


def limb_palette(num_limbs: int) -> list[str]:
    """Choose distinct colours, such as ``'#1f77b4'``."""
    # The root is grey.
    named = [
        to_hex(color) for name, color in TABLEAU_COLORS.items()
        if 'gray' not in name
    ]
    if num_limbs <= len(named):
        return named[:num_limbs]
    return [
        to_hex(colorsys.hsv_to_rgb(i / num_limbs, 0.8, 0.6 + 0.25 * (i % 2)))
        for i in range(num_limbs)
    ]


def joint_colors(layout: Layout) -> list[str]:
    """Choose the colour of each joint and its bone, one colour for a limb."""
    limbs = find_limbs(layout)
    colors = [ROOT_COLOR] * layout.num_joints
    for limb, color in zip(limbs, limb_palette(len(limbs))):
        for joint in limb:
            colors[joint] = color
    return colors
