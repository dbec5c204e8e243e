"""Convert clips of your own to an MMAction2 pickle.

Reads a folder with an array a clip, .npy, .csv or .json, and a table that
says which split and class each belongs to; tools/data/README.md describes
them.
"""
import argparse
import csv
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

import numpy as np

if TYPE_CHECKING:
    from umurl_mmaction.datasets.annotations import ClipCollector

EPILOG = '''example:
  python tools/data/custom_clips.py my_clips --out data/mine.pkl

with my_clips/labels.csv:
  name,label,split
  clip1,wave,train
  clip2,sit down,val
'''

SUFFIXES = ('.npy', '.csv', '.json')
# Columns that may stand before the coordinates in a .csv.
INDEX_COLUMNS = ('frame', 'body')


@contextmanager
def at(where: str) -> Iterator[None]:
    """Say in an error's message where it was."""
    try:
        yield
    except OSError as error:
        raise ValueError(f'{where}: {error.strerror or error}') from error
    except (EOFError, ValueError) as error:
        raise ValueError(f'{where}: {error}') from error


# The table ----------------------------------------------------------------
class Row(NamedTuple):
    """What the table says of a clip."""
    name: str
    split: str
    label: Union[int, str, None]


def read_csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read a .csv.

    Args:
        path (Path): The file, UTF-8.

    Yields:
        tuple[int, list[str]]: Number of the line, from 1, and its fields
        without blanks around them. Blank lines are left out.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    # Spreadsheets put a byte order mark in front.
    with open(path, encoding='utf-8-sig', newline='') as f:
        reader = csv.reader(f, strict=True)
        try:
            for fields in reader:
                if fields:
                    yield reader.line_num, [field.strip() for field in fields]
        except csv.Error as error:
            raise ValueError(f'line {reader.line_num + 1}: {error}') from error


def read_table(path: Path) -> list[tuple[str, Union[Row, ValueError]]]:
    """Read which split and class each clip belongs to.

    Args:
        path (Path): A .csv with a heading: the columns ``name``, ``split``
            and, if there are classes, ``label``, in any order.

    Returns:
        list[tuple[str, Row | ValueError]]: The line as ``line 2`` and what
        it says, or an error, which names the line, if it is malformed.

    Raises:
        ValueError: If the table as a whole is malformed.
    """
    with at(str(path)):
        lines = list(read_csv(path))
    number, columns = lines[0] if lines else (1, [])
    if sorted(columns) not in (['label', 'name', 'split'], ['name', 'split']):
        raise ValueError(
            f'{path}: line {number}: expected the columns name, split and, '
            f'if there are classes, label, got {", ".join(columns) or "none"}')
    rows: list[tuple[str, Union[Row, ValueError]]] = []
    names: set[str] = set()
    numbered: Optional[bool] = None
    for number, fields in lines[1:]:
        where = f'line {number}'
        values = dict(zip(columns, fields))
        name, label = values.get('name', ''), values.get('label', '')
        problem = ''
        if len(fields) != len(columns):
            problem = f'expected {len(columns)} fields, got {len(fields)}'
        elif not name or not values['split']:
            problem = 'expected a name and a split'
        elif name in names:
            problem = f'expected {name} once, it is there twice'
        elif label:
            is_id = label.isascii() and label.isdigit()
            if numbered is None:
                numbered = is_id
            if is_id != numbered:
                kind = 'an integer from 0' if numbered else 'a name'
                problem = (f'expected {kind} as label, as in the lines '
                           f'before, got {label!r}')
        if problem:
            rows.append((where, ValueError(f'{path}: {where}: {problem}')))
            continue
        names.add(name)
        rows.append((where, Row(name, values['split'], (
            int(label) if numbered else label) if label else None)))
    return rows


# The clips ----------------------------------------------------------------
class Clip(NamedTuple):
    """A file, and how its array must look."""
    path: Path
    num_joints: Optional[int] = None
    coords: Optional[int] = None


def find_clip(folder: Path, name: str) -> Path:
    """Find the file of a clip.

    Raises:
        ValueError: If there is none or more than one.
    """
    files = [
        path for path in (folder / f'{name}{suffix}' for suffix in SUFFIXES)
        if path.is_file()
    ]
    if len(files) != 1:
        raise ValueError(f'{folder / name}: expected one file .npy, .csv or '
                         f'.json, got {len(files) or "none"}')
    return files[0]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def split_joints(clip: Clip, num_values: int) -> tuple[int, int]:
    """Find out how many joints and coordinates a line of a .csv has.

    Args:
        clip (Clip): Has the number of joints, of coordinates, or both.
        num_values (int): Numbers in the line.

    Returns:
        tuple[int, int]: V and C.

    Raises:
        ValueError: If that is not known or does not fit.
    """
    _, V, C = clip
    if V and C:
        if num_values != V * C:
            raise ValueError(f'expected {V * C} numbers, {V} joints of {C}, '
                             f'got {num_values}')
        return V, C
    known = V or C
    if not known:
        raise ValueError('a .csv does not tell where a joint ends, so '
                         '--num-joints or --coords is needed')
    if not num_values or num_values % known:
        raise ValueError(f'expected a multiple of {known} numbers, got '
                         f'{num_values}')
    other = num_values // known
    return (known, other) if V else (other, known)


def parse_index(index: dict[str, str], last: int) -> tuple[int, int]:
    """Read which frame and body a line of a .csv is about.

    Args:
        index (dict[str, str]): What stands in the columns ``frame`` and
            ``body``, or in the first of them, or nothing.
        last (int): Frame of the line before; -1 for the first line.

    Returns:
        tuple[int, int]: Frame and body.

    Raises:
        ValueError: If it is malformed.
    """
    for column, field in index.items():
        if not (field.isascii() and field.isdigit()):
            raise ValueError(f'expected a {column} counted from 0, got '
                             f'{field[:40]!r}')
    frame = int(index.get('frame', last + 1))
    # In order and without gaps: a lost line is noticed, and the array is no
    # larger than the file.
    wanted = [last + 1]
    if 'body' in index and last >= 0:
        wanted.insert(0, last)
    if frame not in wanted:
        raise ValueError(f'expected frame {" or ".join(map(str, wanted))}, '
                         f'got {frame}')
    return frame, int(index.get('body', 0))


def parse_csv(clip: Clip) -> np.ndarray:
    """Read a .csv with a line a frame, or a line a frame and body.

    Args:
        clip (Clip): Has the number of joints, of coordinates, or both.

    Returns:
        np.ndarray: Float64, shape (M, T, V, C).

    Raises:
        ValueError: If it is malformed. Names the line.
    """
    # Imported late: --help needs numpy only.
    from umurl_mmaction.datasets.annotations import parse_numbers
    lines = list(read_csv(clip.path))
    columns: list[str] = []
    if lines and not any(map(is_number, lines[0][1])):
        for column, heading in zip(INDEX_COLUMNS, lines.pop(0)[1]):
            if column != heading.lower():
                break
            columns.append(column)
    if not lines:
        raise ValueError('expected a line a frame, the file ends')
    num_index = len(columns)
    num_values = len(lines[0][1]) - num_index
    with at(f'line {lines[0][0]}'):
        V, C = split_joints(clip, num_values)
    frame = -1
    poses: dict[tuple[int, int], list[float]] = {}
    for number, fields in lines:
        with at(f'line {number}'):
            pose = parse_numbers(fields[num_index:], num_values)
            frame, body = parse_index(dict(zip(columns, fields)), frame)
            if (frame, body) in poses:
                raise ValueError(f'body {body} of frame {frame} is there '
                                 'twice')
            poses[frame, body] = pose
    bodies = {body for _, body in poses}
    for (_, body), (number, _) in zip(poses, lines):
        if body >= len(bodies):
            raise ValueError(
                f'line {number}: expected bodies counted from 0 without gaps, '
                f'got {body}, but {len(bodies)} in all')
    keypoint = np.zeros((len(bodies), frame + 1, V, C))
    for (frame, body), pose in poses.items():
        keypoint[body, frame] = np.reshape(pose, (V, C))
    return keypoint


def nested_shape(value: Any, where: str = '') -> tuple[int, ...]:
    """Shape of nested lists of numbers; ``ValueError`` if they have none."""
    if not isinstance(value, list):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return ()
        raise ValueError(f'item {where or "0"}: expected a number, got '
                         f'{value!r:.40}')
    shape: tuple[int, ...] = ()
    for i, item in enumerate(value):
        got = nested_shape(item, f'{where}[{i}]')
        if i and got != shape:
            raise ValueError(f'item {where}[{i}]: expected shape {shape} as '
                             f'of those before, got {got}')
        shape = got
    return (len(value), *shape)


def parse_json(path: Path) -> np.ndarray:
    """Read nested lists of numbers.

    Returns:
        np.ndarray: Float64.

    Raises:
        ValueError: If it is malformed. Names the line or the item.
    """
    try:
        value = json.loads(path.read_bytes())
        nested_shape(value)
        return np.array(value, np.float64)
    except (OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read_clip(clip: Clip) -> np.ndarray:
    """Read the array of a clip.

    Args:
        clip (Clip): Where it is and how it must look.

    Returns:
        np.ndarray: Float32, shape (M, T, V, C).

    Raises:
        ValueError: If it is malformed.
    """
    path, num_joints, coords = clip
    with at(str(path)):
        if path.suffix == '.npy':
            # Neither unpickles nor trusts the size that the header says.
            array: np.ndarray = np.lib.format.open_memmap(path, 'r')
        elif path.suffix == '.csv':
            array = parse_csv(clip)
        else:
            array = parse_json(path)
        if array.dtype.kind not in 'fiu' or array.ndim not in (3, 4) or (
                not array.size):
            raise ValueError('expected numbers (T, V, C) or (M, T, V, C), '
                             f'got {array.dtype} {array.shape}')
        keypoint = array if array.ndim == 4 else array[None]
        for axis, size, what in ((2, num_joints, 'joints'),
                                 (3, coords, 'coordinates')):
            if size and keypoint.shape[axis] != size:
                raise ValueError(f'expected {size} {what}, got shape '
                                 f'{array.shape}')
        with np.errstate(over='ignore'):
            keypoint = np.array(keypoint, np.float32, order='C')
        wrong = np.argwhere(~np.isfinite(keypoint))
        if len(wrong):
            raise ValueError(
                'body {}, frame {}, joint {}: expected finite numbers'.format(
                    *wrong[0]))
        return keypoint


# The set ------------------------------------------------------------------
def convert(folder: Path,
            table: Path,
            num_joints: Optional[int] = None,
            coords: Optional[int] = None,
            num_workers: int = 1,
            skip_errors: bool = False) -> 'ClipCollector':
    """Convert a folder of clips to annotations.

    Args:
        folder (Path): Has a file a clip.
        table (Path): Says which split and class each belongs to.
        num_joints (int, optional): Joints V that each clip must have.
            Defaults to None: those of the first one.
        coords (int, optional): Coordinates C that each joint must have.
            Defaults to None: those of the first one.
        num_workers (int): Processes to read with. Defaults to 1.
        skip_errors (bool): Whether to leave out files and lines of the table
            that cannot be read rather than to raise. Defaults to False.

    Returns:
        ClipCollector: The clips, and what was left out; its data have
        ``classes``, too, if the labels are names.

    Raises:
        ValueError: If something cannot be read, or no clip is left.
    """
    from umurl_mmaction.datasets.annotations import (
        ClipCollector,
        track_parallel,
    )
    rows = read_table(table)
    clips = ClipCollector((), skip_errors)
    wanted, files = [], []
    for where, row in rows:
        try:
            if isinstance(row, ValueError):
                raise row
            path = find_clip(folder, row.name)
        except ValueError as error:
            clips.fail(where if isinstance(row, ValueError) else row.name,
                       error)
            continue
        wanted.append(row)
        files.append(Clip(path, num_joints, coords))
    listed = {clip.path for clip in files} | {table}
    names = {row.name for _, row in rows if isinstance(row, Row)}
    for path in sorted(folder.rglob('[!.]*')):
        name = path.relative_to(folder).with_suffix('').as_posix()
        if path.suffix in SUFFIXES and path not in listed and (
                name not in names):
            clips.leave_out(name, f'not in {table.name}')

    # Of all rows: what cannot be read does not change the ids of the others.
    classes = sorted({
        row.label
        for _, row in rows
        if isinstance(row, Row) and isinstance(row.label, str)
    })
    if classes:
        clips.data['classes'] = classes
    ids = {name: i for i, name in enumerate(classes)}
    first: Optional[tuple[str, tuple[int, ...]]] = None
    with closing(track_parallel(read_clip, files, num_workers)) as results:
        for row, file, keypoint in zip(wanted, files, results):
            if isinstance(keypoint, ValueError):
                clips.fail(row.name, keypoint)
                continue
            first = first or (row.name, keypoint.shape[2:])
            if keypoint.shape[2:] != first[1]:
                clips.fail(row.name, ValueError(
                    f'{file.path}: expected (V, C) = {first[1]} as in '
                    f'{first[0]}, got {keypoint.shape[2:]}'))
                continue
            label = ids[row.label] if isinstance(row.label,
                                                 str) else row.label
            clips.add(row.name, keypoint, label, [row.split])
    clips.check_any(f'{len(rows)} in {table}')
    return clips


def main(argv: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'src', type=Path, metavar='SRC', help='folder with a file a clip')
    parser.add_argument(
        '--out', type=Path, required=True, metavar='OUT',
        help='file to write, .pkl or .npz')
    parser.add_argument(
        '--labels', type=Path, metavar='FILE',
        help='table of the clips (labels.csv in SRC)')
    parser.add_argument(
        '--num-joints', type=int, metavar='V',
        help='joints that every clip must have (as the first clip)')
    parser.add_argument(
        '--coords', type=int, metavar='C',
        help='coordinates that every joint must have (as in the first clip)')
    parser.add_argument(
        '--workers', type=int, default=os.cpu_count() or 1,
        help='processes to read with (one per core)')
    parser.add_argument(
        '--on-error', choices=['stop', 'skip'], default='stop',
        help='what to do about a file or a line of the table that cannot be '
        'read (stop)')
    args = parser.parse_args(argv)
    for name in ('num_joints', 'coords'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, '
                         f'got {value}')
    from umurl_mmaction.datasets.annotations import run_converter
    run_converter(
        parser, args, lambda: convert(
            args.src, args.labels or args.src / 'labels.csv', args.num_joints,
            args.coords, args.workers, args.on_error == 'skip'))


if __name__ == '__main__':
    main()
