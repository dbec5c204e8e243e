"""Numbers in text: lines, .csv and .json."""
import csv
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, AnyStr

import numpy as np

from .npz import HEADER_ERRORS

LARGEST = float(np.finfo(np.float32).max)


def parse_numbers(fields: Sequence[AnyStr], count: int) -> list[float]:
    """Read the numbers of a line.

    Args:
        fields (Sequence[str] | Sequence[bytes]): Fields of the line.
        count (int): Wanted number of fields.

    Returns:
        list[float]: The numbers.

    Raises:
        ValueError: If there are more or fewer, or one is no number or not
            within float32.
    """
    if len(fields) != count:
        raise ValueError(f'expected {count} numbers, got {len(fields)}')
    values = []
    for field in fields:
        try:
            value = float(field)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            text = field.decode('utf-8', 'replace') if isinstance(
                field, bytes) else field
            raise ValueError(f'expected finite numbers, got {text[:40]!r}')
        values.append(value)
    return values


@contextmanager
def at(where: str) -> Iterator[None]:
    """Put the place of an error in front of its message."""
    try:
        yield
    except OSError as error:
        raise ValueError(f'{where}: {error.strerror or error}') from error
    except (*HEADER_ERRORS, ValueError) as error:
        raise ValueError(f'{where}: {error}') from error


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_separator(fields: Sequence[str]) -> None:
    """Refuse a line of a file with another separator than commas."""
    blanks = fields[0].split() if len(fields) == 1 else []
    found = {
        'semicolons': any(';' in field for field in fields),
        'tabs': any('\t' in field for field in fields),
        'blanks': len(blanks) > 1 and all(map(is_number, blanks))
    }
    for name, is_there in found.items():
        if is_there:
            raise ValueError(f'expected commas between the fields, got {name}')


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
                fields = [field.strip() for field in fields]
                if reader.line_num == 1:
                    with at('line 1'):
                        _check_separator(fields)
                if fields:
                    yield reader.line_num, fields
        except csv.Error as error:
            raise ValueError(f'line {reader.line_num + 1}: {error}') from error


def nested_shape(value: Any, where: str = '') -> tuple[int, ...]:
    """Return the shape of nested lists of numbers.

    Raises:
        ValueError: If they have no shape. Names the item.
    """
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


def load_json(path: Path) -> Any:
    """Read a .json.

    Raises:
        ValueError: If it is malformed. Names the line.
    """
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError(str(error)) from error


def to_array(value: Any) -> np.ndarray:
    """Make a float64 array of nested lists of numbers.

    Raises:
        ValueError: If they have no shape. Names the item.
    """
    try:
        nested_shape(value)
        return np.array(value, np.float64)
    except (OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
