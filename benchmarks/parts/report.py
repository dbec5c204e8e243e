"""Tables and pictures of the results."""
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

Rows = Sequence[dict[str, Any]]

TITLES = dict(
    data='four views of each clip of a batch, from clips in memory',
    forward='views to loss',
    step='views to updated weights',
    memory='the most that is held beyond weights and optimizer',
    methods='views to gradients of the other methods',
    probe='training a linear classifier on the frozen encoder',
    retrieval='label of the nearest neighbour, from features',
    loader='raw clips from the dataloader',
    loop="pre-training by MMEngine's Runner, loader included")


def add_ratios(rows: Rows) -> None:
    """Compare each row with the plain rows of the same part and size.

    ``ratios`` maps the name of a plain row to a number above 1 if the row is
    better: faster, or smaller in memory.
    """
    for row in rows:
        row['ratios'] = {
            other['variant']: _ratio(row, other)
            for other in rows if other['variant'].startswith('plain') and
            all(other[key] == row[key]
                for key in ('part', 'what', 'unit', 'embed_dims',
                            'batch_size'))
        }


def _ratio(row: dict[str, Any], base: dict[str, Any]) -> float:
    ratio = row['value'] / base['value']
    return ratio if row['unit'].endswith('/s') else 1 / ratio


def add_shares(rows: Rows, peaks: dict[str, float]) -> None:
    """Add FLOP/s to rows with ``flops``, and their share of the peak.

    ``peaks`` are the FLOP/s of a large matrix product, by precision.
    """
    for row in rows:
        more = row['more']
        if 'flops' in more:
            more['flops_per_s'] = more['flops'] / median(row['seconds'])
            more['share_of_peak'] = (
                more['flops_per_s'] / peaks[more['precision']])


def number(value: float) -> str:
    """Format a number with at least three digits."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f'{value:,.{max(0, digits)}f}'


def to_markdown(results: dict[str, Any]) -> str:
    """Write a line on the machine and a Markdown table of each part.

    ``results`` are the content of a file of ``benchmark.py --json``.
    """
    machine, peaks = results['machine'], results['peak']
    lines = [
        f'{machine["device"]}; {machine["cpu"]}, {machine["threads"]} of '
        f'{machine["cores"]} cores, {machine["memory_gib"]:.0f} GiB; ' +
        ', '.join(f'{name} {version}'
                  for name, version in machine['versions'].items()) + '.' +
        ''.join(f' {name}={value}.'
                for name, value in machine.get('environment', {}).items())
    ]
    if peaks:
        lines += [
            '', 'A large matrix product: ' + ', '.join(
                f'{name} {number(peak / 1e12)} TFLOP/s'
                for name, peak in peaks.items()) + '.'
        ]
    for part in dict.fromkeys(row['part'] for row in results['rows']):
        rows = [row for row in results['rows'] if row['part'] == part]
        lines += ['', f'**{part}**: {TITLES[part]}', '', *_table(rows)]
    return '\n'.join(lines)


def _table(rows: Rows) -> list[str]:
    bases = list(dict.fromkeys(name for row in rows for name in row['ratios']))
    columns = [
        ('What', [row['what'] for row in rows]),
        ('embed_dims', [row['embed_dims'] or '' for row in rows]),
        ('Batch', [row['batch_size'] or '' for row in rows]),
        ('Variant', [row['variant'] for row in rows]),
        ('Median',
         [f'{number(row["value"])} {row["unit"]}' for row in rows]),
        ('Spread', [_spread(row['seconds']) for row in rows]),
        *((f'times better than {base}', [
            f'{row["ratios"][base]:.2f}' if base in row['ratios'] else ''
            for row in rows
        ]) for base in bases),
        ('Of the peak', [
            _percent(row['more']['share_of_peak'])
            if 'share_of_peak' in row['more'] else '' for row in rows
        ]),
        ('451 epochs of NTU-60 xsub', [
            f'{number(row["more"]["hours_of_451_epochs"])} h'
            if 'hours_of_451_epochs' in row['more'] else '' for row in rows
        ])
    ]
    used = [(title, cells) for title, cells in columns if any(cells)]
    left = ('What', 'Variant')
    return [
        _line([title for title, _ in used]),
        _line(['---' if title in left else '---:' for title, _ in used]),
        *(_line(cells) for cells in zip(*(cells for _, cells in used)))
    ]


def _line(cells: Sequence[Any]) -> str:
    return f'| {" | ".join(map(str, cells))} |'


def _spread(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return ''
    return _percent((max(seconds) - min(seconds)) / median(seconds))


def _percent(share: float) -> str:
    return f'{100 * share:.0f} %'


def fill(page: str, folder: Path) -> str:
    """Put the tables of a folder's JSON files into a Markdown page.

    They replace the text between ``<!-- table: FILE -->`` and ``<!-- end -->``
    if the file exists.
    """

    def table(found: re.Match) -> str:
        path = folder / found[2]
        if not path.is_file():
            return found[0]
        table = to_markdown(json.loads(path.read_text()))
        return f'{found[1]}\n\n{table}\n\n{found[3]}'

    return re.sub(r'(<!-- table: (\S+) -->).*?(<!-- end -->)', table, page,
                  flags=re.DOTALL)


def draw(results: dict[str, Any], path: str) -> None:
    """Draw the samples per second of steps against batch size and width.

    Raises:
        ValueError: If the results have no steps.
    """
    steps = [row for row in results['rows'] if row['part'] == 'step']
    if not steps:
        raise ValueError("there is no step to draw: measure the part 'step'")
    from matplotlib.figure import Figure
    figure = Figure(figsize=(11, 4.5))
    axes = figure.subplots(1, 2, sharey=True)
    for axis, against, fixed in ((axes[0], 'batch_size', 'embed_dims'),
                                 (axes[1], 'embed_dims', 'batch_size')):
        largest = max(row[fixed] for row in steps)
        shown = [row for row in steps if row[fixed] == largest]
        for name in dict.fromkeys(row['variant'] for row in shown):
            line = sorted((row[against], row['value']) for row in shown
                          if row['variant'] == name)
            style = dict(linestyle='--') if name.startswith('plain') else {}
            axis.plot(*zip(*line), marker='o', label=name, **style)
        ticks = sorted({row[against] for row in shown})
        axis.set(
            title=f'{fixed} {largest}',
            xlabel=against,
            xscale='log',
            yscale='log')
        axis.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        axis.set_xticks([], minor=True)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel('training steps: samples/s')
    axes[0].legend()
    machine = results['machine']
    figure.suptitle(
        f'{machine["device"]}; {machine["cpu"]}, {machine["threads"]} threads')
    figure.tight_layout()
    figure.savefig(path, dpi=120)
