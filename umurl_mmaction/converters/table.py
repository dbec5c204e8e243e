"""Which split and class each clip belongs to: from a table or folders."""
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Optional, Union

from ..fileio.text import at, read_csv


class Row(NamedTuple):
    """A line of the table: name, split and label of a clip.

    ``img_shape`` is the height and width of its pictures, if they are told.
    """
    name: str
    split: str
    label: Union[int, str, None]
    img_shape: Optional[tuple[int, int]] = None


# What a table may tell of the pictures.
_SIZE = ('height', 'width')


def read_table(
        path: Path,
        of_pictures: bool = False
) -> list[tuple[str, Union[Row, ValueError]]]:
    """Read which split and class each clip belongs to.

    Args:
        path (Path): A .csv with a heading: the columns ``name``, ``split``
            and, if there are classes, ``label``, in any order.
        of_pictures (bool): Whether there may be the columns ``height`` and
            ``width``, in pixels, too. Defaults to False.

    Returns:
        list[tuple[str, Row | ValueError]]: The line as ``line 2`` and what
        it says, or an error, which names the line, if it is malformed.

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
    rows: list[tuple[str, Union[Row, ValueError]]] = []
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


def rows_of_folders(names: Iterable[str], source: str) -> list[Row]:
    """Take split and class of each clip from the folders that it lies in.

    Args:
        names (Iterable[str]): Paths of the clips below ``source``, with
            slashes: ``split/class/clip``, or ``split/clip`` for clips without
            a class. The class may have folders of its own.
        source (str): The folder, for messages.

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
    return rows


def classes_of(rows: Iterable[Row]) -> list[str]:
    """Return the names of the classes, sorted; none if they are numbers.

    Of all rows: a clip that cannot be read does not change the ids of others.
    """
    return sorted({row.label for row in rows if isinstance(row.label, str)})
