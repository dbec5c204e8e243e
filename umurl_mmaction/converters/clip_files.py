"""The files of clips, found by the names of the clips."""
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Callable


def _without_suffix(file: Path) -> Path:
    return file.with_suffix('')


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, and below the folders it links to."""
    for place, folders, names in os.walk(folder, followlinks=True):
        # A link to a folder that it lies in would have no end.
        here = Path(place).resolve()
        above = {here, *here.parents}
        folders[:] = [
            x for x in folders if Path(place, x).resolve() not in above
        ]
        for name in names:
            yield Path(place, name)


def files_by_name(
    folder: Path,
    suffixes: Collection[str],
    path_of: Callable[[Path], Path] = _without_suffix
) -> dict[str, tuple[Path, ...]]:
    """Find files by their suffixes, in whatever case, to any depth.

    Args:
        folder (Path): Where to look.
        suffixes (Collection[str]): In small letters.
        path_of (Callable): Takes a file and returns the path that names its
            clip. Defaults to the path without the suffix.

    Returns:
        dict[str, tuple[Path, ...]]: By name of the clip, its path below
        ``folder``, with slashes; both sorted.
    """
    found: dict[str, list[Path]] = {}
    for file in sorted(_walk(folder)):
        if (file.suffix.lower() in suffixes and file.name[0] != '.'
                and file.is_file()):
            name = path_of(file).relative_to(folder).as_posix()
            found.setdefault(name, []).append(file)
    return {name: tuple(files) for name, files in sorted(found.items())}


def without(found: Mapping[str, Sequence[Path]],
            ignored: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
    """Take files that are of no clip from those that were found.

    Args:
        found (Mapping): Files by name of the clip.
        ignored (Iterable[Path]): What to take.

    Returns:
        dict[str, tuple[Path, ...]]: The same, but for clips without a file.
    """
    others = {path.resolve() for path in ignored}
    kept = {
        name: tuple(path for path in paths if path.resolve() not in others)
        for name, paths in found.items()
    }
    return {name: paths for name, paths in kept.items() if paths}


def only_file(paths: Sequence[Path]) -> Path:
    """Return the file of a clip.

    Raises:
        ValueError: If there are more. Names them.
    """
    if len(paths) > 1:
        raise ValueError(f'{paths[0]}: expected one file of that clip, got '
                         f'{", ".join(path.name for path in paths)}')
    return paths[0]
