"""Which split and class each clip belongs to: from a table or folders."""
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from ..fileio.text import at, read_csv
from .clip_collector import ClipCollector


class Row(NamedTuple):
    """A line of the table: name, split and label of a clip.

    ``img_shape`` is the height and width of its pictures, if they are told.
    """
    name: str
    split: str
    label: Union[int, str, None]
    img_shape: Optional[tuple[int, int]] = None


# Where each stands, and what it says or what is wrong with it.
Rows = list[tuple[str, Union[Row, ValueError]]]


class Member(NamedTuple):
    """A clip of the set: ``label`` is its class, from 0, if it has one."""
    name: str
    split: str
    label: Optional[int]
    img_shape: Optional[tuple[int, int]] = None


# What a table may tell of the pictures.
_SIZE = ('height', 'width')


def read_table(path: Path, of_pictures: bool = False) -> Rows:
    """Read which split and class each clip belongs to.

    Args:
        path (Path): A .csv with a heading: the columns ``name``, ``split``
            and, if there are classes, ``label``, in any order.
        of_pictures (bool): Whether there may be the columns ``height`` and
            ``width``, in pixels, too. Defaults to False.

    Returns:
        Rows: The line as ``line 2`` and what it says, or an error, which
        names the line, if it is malformed.

    Raises:
        ValueError: If the table as a whole is malformed.
    """
    with at(str(path)):
        lines = list(read_csv(path))
    number, columns = lines[0] if lines else (1, [])
    columns = [column.lower() for column in columns]
    facts = [x for x in columns if not (of_pictures and x in _SIZE)]
    with_size = sorted(columns) == sorted([*facts, *_SIZE])
    if sorted(facts) not in (['label', 'name', 'split'], [
            'name', 'split']) or not (with_size or facts == columns):
        size_too = '; maybe height and width' if of_pictures else ''
        raise ValueError(
            f'{path}: line {number}: expected the columns name, split and, '
            f'if there are classes, label{size_too}, got '
            f'{", ".join(columns) or "none"}')
    rows: Rows = []
    names: set[str] = set()
    numbered: Optional[bool] = None
    for number, fields in lines[1:]:
        where = f'line {number}'
        values = dict(zip(columns, fields))
        name, label = values.get('name', ''), values.get('label', '')
        size = [values.get(x, '') for x in _SIZE] if with_size else []
        problem = ''
        if len(fields) != len(columns):
            problem = f'expected {len(columns)} fields, got {len(fields)}'
        elif not name or not values['split']:
            problem = 'expected a name and a split'
        elif name in names:
            problem = f'expected {name} once, it is there twice'
        elif not all(x.isascii() and x.isdigit() and int(x) for x in size):
            problem = ('expected height and width in pixels, got '
                       f'{" and ".join(map(repr, size))}')
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
        rows.append((where, Row(
            name, values['split'],
            (int(label) if numbered else label) if label else None,
            (int(size[0]), int(size[1])) if size else None)))
    return rows


def rows_of_folders(names: Iterable[str], source: str) -> Rows:
    """Take split and class of each clip from the folders that it lies in.

    Args:
        names (Iterable[str]): Paths of the clips below ``source``, with
            slashes: ``split/class/clip``, or ``split/clip`` for clips without
            a class. The class may have folders of its own.
        source (str): The folder, for messages.

    Returns:
        Rows: By name of the clip.

    Raises:
        ValueError: If a clip lies in no folder, or some have a class and some
            have none.
    """
    rows: list[Row] = []
    for name in names:
        parts = name.split('/')
        if len(parts) < 2:
            raise ValueError(
                f'{source}: expected a table labels.csv, or clips in folders '
                f'SPLIT/CLASS/CLIP or SPLIT/CLIP, got {name} in none')
        row = Row(name, parts[0], parts[1] if len(parts) > 2 else None)
        if rows and (row.label is None) != (rows[0].label is None):
            raise ValueError(
                f'{source}: expected all clips in folders SPLIT/CLASS/CLIP, '
                f'or all in SPLIT/CLIP, got {rows[0].name} and {name}')
        rows.append(row)
    return [(row.name, row) for row in rows]


def assign(rows: Rows, files: Mapping[str, Any], folder: Path,
           table: Optional[Path], clips: ClipCollector) -> list[Member]:
    """Find out which split and class each clip belongs to.

    Args:
        rows (Rows): They say it.
        files (Mapping): By name of the clip.
        folder (Path): Where they lie.
        table (Path, optional): Where the rows are from; None if from the
            folders.
        clips (ClipCollector): Gets the clips that cannot be assigned, and the
            names of the classes, sorted, if they are no numbers.

    Returns:
        list[Member]: The clips to read.

    Raises:
        ValueError: If a row is malformed or has no file, unless ``clips``
            skips errors.
    """
    known = [row for _, row in rows if isinstance(row, Row)]
    # Of all rows: a clip that cannot be read does not change others' ids.
    classes = sorted(
        {row.label for row in known if isinstance(row.label, str)})
    if classes:
        clips.data['classes'] = classes
    ids = {name: i for i, name in enumerate(classes)}
    members = []
    for where, row in rows:
        if isinstance(row, ValueError):
            clips.fail(where, row)
        elif row.name not in files:
            hint = ': the name is without the suffix' if (
                folder / row.name).is_file() else ''
            clips.fail(row.name, ValueError(
                f'{table}: {where}: no file of {row.name} in {folder}{hint}'))
        else:
            label = ids[row.label] if isinstance(row.label,
                                                 str) else row.label
            members.append(Member(row.name, row.split, label, row.img_shape))
    for name in sorted(set(files) - {row.name for row in known}):
        clips.leave_out(name, f'not in {table and table.name}')
    return members
