"""Motion capture in .bvh files, read by pybvh."""
from pathlib import Path

import numpy as np

from ..fileio.text import at
from ..skeleton.layout import Layout
from .clip_files import files_by_name, only_file
from .estimates import Estimates, Settings


def find_videos(folder: Path,
                settings: Settings) -> dict[str, tuple[Path, ...]]:
    """Find the file of each clip.

    Args:
        folder (Path): Where to look, to any depth.
        settings (Settings): How they are read.

    Returns:
        dict[str, tuple[Path, ...]]: By name of the clip, sorted.

    Raises:
        ValueError: If pybvh is not installed.
    """
    try:
        import pybvh  # noqa: F401
    except ImportError as error:
        raise ValueError('.bvh files need pybvh (pip install pybvh): '
                         f'{error}') from error
    return files_by_name(folder, ['.bvh'])


def read_video(paths: tuple[Path, ...], settings: Settings) -> Estimates:
    """Compute where the joints of a recording are.

    Args:
        paths (tuple[Path, ...]): Its file.
        settings (Settings): ``skeleton`` is used.

    Returns:
        Estimates: One body in the units and axes of the file. The skeleton is
        that of the file, without the ends of limbs, which have no name.

    Raises:
        ValueError: If the file is malformed, or one of two. Names it.
    """
    from pybvh import read_bvh_file
    path = only_file(paths)
    with at(str(path)):
        try:
            # Any axis: nothing that depends on it is asked for.
            motion = read_bvh_file(path, world_up='+y')
            joints = np.asarray(motion.joint_positions())
        except (LookupError, TypeError) as error:
            raise ValueError(f'no .bvh that pybvh can read: {error}') from (
                error)
        parents = [-1] * len(motion.joint_names)
        for child, parent in motion.edges:
            parents[child] = parent
        layout = Layout('bvh', tuple(motion.joint_names), tuple(parents))
    bodies = np.concatenate(
        [joints, np.ones_like(joints[..., :1])], axis=-1)
    return Estimates(
        list(bodies[:, None]),
        layout.to_dict() if settings.skeleton is None else settings.skeleton,
        followed=True)
