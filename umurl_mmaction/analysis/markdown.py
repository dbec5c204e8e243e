"""Tables in Markdown, and what stands in their cells."""
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional


def table(head: Sequence[str],
          rows: Iterable[Sequence[str]],
          num_texts: int = 1) -> str:
    """Make a table.

    Args:
        head (sequence of str): Names of the columns.
        rows (iterable of sequence of str): A cell for each column.
        num_texts (int): Columns of text, the first; numbers are aligned to
            the right. Defaults to 1.
    """
    rule = ['---'] * num_texts + ['---:'] * (len(head) - num_texts)
    return '\n'.join(f'| {" | ".join(row)} |' for row in (head, rule, *rows))


def percent(mean: float, deviation: Optional[float] = None) -> str:
    """Write a share within 0..1 in percent, with its deviation if given."""
    text = f'{100 * mean:.1f}'
    return text if deviation is None else f'{text} ± {100 * deviation:.1f}'


def percents(row: Mapping[str, Any], columns: Iterable[str],
             num_runs: int) -> list[str]:
    """Write the accuracies of a row, with their deviations over several runs.

    Args:
        row (dict): ``mean`` and ``deviation`` by column.
        columns (iterable of str): Names of the accuracies.
        num_runs (int): Number of runs.
    """
    return [
        percent(row['mean'][x], row['deviation'][x] if num_runs > 1 else None)
        for x in columns
    ]
