"""Clips of public sets, whose files say by their names what they are."""
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

from ..fileio.text import at, parse_numbers
from .clip_collector import ClipCollector
from .parallel import track_parallel


class Source(NamedTuple):
    """A clip and where it is read from.

    Args:
        name (str): Name of the clip.
        task (Any): What is read.
        label (int): Its class, from 0.
        splits (Sequence[str]): The splits it belongs to.
    """
    name: str
    task: Any
    label: int
    splits: Sequence[str]


def find_recordings(folder: Path,
                    pattern: str) -> list[tuple['re.Match[str]', Path]]:
    """Find the files whose paths end with a pattern.

    Args:
        folder (Path): Where to look, to any depth.
        pattern (str): A regular expression of the end of the path below
            ``folder``, with slashes, from the start of a name on.

    Returns:
        list[tuple[re.Match, Path]]: The match and the file, by what matches.

    Raises:
        ValueError: If there is none, or two of them match the same.
    """
    if not folder.is_dir():
        raise ValueError(f'{folder} is no folder')
    found: dict[str, tuple[re.Match[str], Path]] = {}
    for path in sorted(folder.rglob('*')):
        match = re.search(f'(?:^|/)({pattern})$',
                          path.relative_to(folder).as_posix())
        if match is None or not path.is_file():
            continue
        if match[1] in found:
            raise ValueError(f'{path}: expected one file {match[1]}, '
                             f'{found[match[1]][1]} is another')
        found[match[1]] = (match, path)
    if not found:
        # N is any number; the rest of the signs reads like the name.
        name = re.sub(r'[()\\?]', '', pattern.replace('[0-9]+', 'N'))
        raise ValueError(f'{folder}: no file {name}')
    return [found[name] for name in sorted(found)]


def read_numbers(path: Path,
                 num_values: int,
                 separator: str = '') -> np.ndarray:
    """Read a text file with the same number of numbers in each line.

    Args:
        path (Path): The file.
        num_values (int): How many.
        separator (str): What stands between them. Defaults to '': blanks.

    Returns:
        np.ndarray: Float64, (lines, num_values).

    Raises:
        ValueError: If it is malformed. Names the line.
    """
    with at(str(path)):
        lines = path.read_bytes().rstrip().splitlines()
        if not lines:
            raise ValueError('expected a line a frame, the file is empty')
        values = np.empty((len(lines), num_values))
        for i, line in enumerate(lines):
            # Some lines end with a separator.
            fields = (line.rstrip(b' \t' + separator.encode()).split(
                separator.encode()) if separator else line.split())
            with at(f'line {i + 1}'):
                values[i] = parse_numbers(fields, num_values)
    return values


def collect(clips: ClipCollector,
            sources: Sequence[Source],
            read: Callable[[Any], tuple[np.ndarray, str]],
            num_workers: int = 1) -> None:
    """Read the clips of a set.

    Args:
        clips (ClipCollector): Gets them.
        sources (Sequence[Source]): What to read.
        read (Callable): Takes a task and returns float32 (M, T, V, C), and
            which part of it is missing, or '', or why it is empty; raises
            ``ValueError`` if it cannot be read.
        num_workers (int): Processes to read with. Defaults to 1.
    """
    tasks = [source.task for source in sources]
    with closing(track_parallel(read, tasks, num_workers)) as results:
        for source, result in zip(sources, results):
            if isinstance(result, ValueError):
                clips.fail(source.name, result)
            elif result[1] and not result[0].size:
                clips.leave_out(source.name, result[1])
            else:
                clips.add(source.name, result[0], source.label, source.splits,
                          result[1])


def convert_files(folder: Path,
                  pattern: str,
                  describe: Callable[['re.Match[str]'],
                                     tuple[str, int, Sequence[str]]],
                  read: Callable[[Path], tuple[np.ndarray, str]],
                  classes: Mapping[int, str],
                  splits: Iterable[str],
                  skeleton: str,
                  num_workers: int = 1,
                  skip_errors: bool = False) -> ClipCollector:
    """Convert a set with a file a clip, whose name says what it is.

    Args:
        folder (Path): Has the files, at any depth.
        pattern (str): See :func:`find_recordings`.
        describe (Callable): Takes the match of a file and returns the name of
            the clip, the number of its action and its splits; raises
            ``ValueError`` if it is not of the set.
        read (Callable): Takes a file; see :func:`collect`.
        classes (Mapping[int, str]): Names of the actions by their numbers.
            The labels are their places.
        splits (Iterable[str]): Names of the splits, in their order.
        skeleton (str): Name of the clips' layout.
        num_workers (int): Processes to read with. Defaults to 1.
        skip_errors (bool): Whether to leave out files that cannot be read
            rather than to raise. Defaults to False.

    Returns:
        ClipCollector: The clips, and what was left out.

    Raises:
        ValueError: If something cannot be read, or no clip is left.
    """
    clips = ClipCollector(splits, skip_errors, skeleton)
    clips.data['classes'] = list(classes.values())
    labels = {action: i for i, action in enumerate(classes)}
    sources = []
    for match, path in find_recordings(folder, pattern):
        try:
            with at(str(path)):
                name, action, members = describe(match)
                if action not in labels:
                    raise ValueError('expected an action of '
                                     f'{", ".join(map(str, labels))}, got '
                                     f'{action}')
        except ValueError as error:
            clips.fail(match[1], error)
            continue
        sources.append(Source(name, path, labels[action], members))
    collect(clips, sources, read, num_workers)
    clips.check_any(f'{len(sources)} files in {folder}')
    return clips


def _frames(keypoint: np.ndarray) -> set[bytes]:
    """The frames with somebody."""
    return {
        frame.tobytes()
        for frame in keypoint.swapaxes(0, 1) if frame.any()
    }


def sharing_frames(clips: ClipCollector, names: Iterable[str],
                   others: Iterable[str]) -> set[str]:
    """Find clips that have a frame, to the bit, of one of the others.

    Two recordings do not agree so well: such clips are copies, or cut from
    one recording.

    Args:
        clips (ClipCollector): Has them all.
        names (Iterable[str]): The clips that are asked about.
        others (Iterable[str]): Other clips.

    Returns:
        set[str]: Those of ``names``.
    """
    arrays = {x['frame_dir']: x['keypoint'] for x in clips.annotations}
    known = set().union(*(_frames(arrays[name]) for name in others))
    return {name for name in names if not known.isdisjoint(
        _frames(arrays[name]))}
