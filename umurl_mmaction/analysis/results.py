"""The measured results of ``configs/*/results``: rows of tables, as JSON.

A file holds the rows of one data set and split::

    dataset      name of the data set and, if it is not the usual one, split
    config       base name of the retrieval config, which names both sets
    cfg_options  settings of it that differ
    labels       numbers of labels of each class
    draws        draws of such labels
    rows         encoder, feature, runs, mean and deviation by column, commit;
                 a pre-trained encoder also has pretrain (config), options,
                 its seeds, precision, the steps of a run, and about how many
                 seconds one takes on a core that computes in bfloat16
"""
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_results(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Read the files of results under a folder of configs.

    Args:
        folder (Path): Such as ``configs/umurl``.

    Yields:
        tuple[Path, dict]: A file and what it holds.
    """
    for path in sorted(folder.glob('results/*.json')):
        yield path, json.loads(path.read_text(encoding='utf-8'))


def named_rows(folder: Path) -> dict[str, tuple[dict[str, Any], dict]]:
    """Name the rows of pre-trained encoders, ``FILE/ENCODER``.

    Args:
        folder (Path): Such as ``configs/umurl``.

    Returns:
        dict[str, tuple[dict, dict]]: File and row, by name.
    """
    return {
        f'{path.stem}/{row["encoder"]}': (content, row)
        for path, content in read_results(folder)
        for row in content['rows']
        if 'pretrain' in row and row['feature'] == 'fused'
    }


def compare(measured: dict[str, float], row: dict[str, Any],
            floor: float) -> list[tuple[str, float, float, float, bool]]:
    """Compare accuracies with those of a row.

    Args:
        measured (dict[str, float]): Accuracy by column.
        row (dict): With ``mean`` and ``deviation``.
        floor (float): Smallest deviation that counts, such as one clip.

    Returns:
        list[tuple]: Column, measured, mean, tolerance (two deviations) and
        whether the difference lies within.
    """
    lines = []
    for column, mean in row['mean'].items():
        tolerance = 2 * max(row['deviation'][column], floor)
        value = measured[column]
        lines.append((column, value, mean, tolerance,
                      abs(value - mean) <= tolerance))
    return lines
