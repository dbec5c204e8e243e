"""The table of a comparison, which is in a file and grows."""
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ..evaluation.metric_names import RAW_JOINTS
from ..fileio.atomic import write_json
from ..visualization.comparison import draw_comparison
from ..visualization.saving import save_figure
from .encoder_scores import EncoderScores, make_row
from .markdown import percents, table


class Comparison:
    """Rows of methods and encoders, kept in a JSON file.

    Attributes:
        rows (list[dict]): ``method``, ``encoder``, facts, and ``seeds``,
            ``scores`` and ``commits`` of each, ``mean`` and ``deviation``.
        left_out (dict[str, str]): Combinations that cannot be -> why.

    Args:
        path (Path): The file; its rows are kept.
        head (dict): What all rows share, such as config and budget.
        score (EncoderScores): Scores an encoder.
        plot (Path, optional): Also draw the rows. Defaults to None.

    Raises:
        ValueError: If the file holds rows of another head.
    """

    def __init__(self,
                 path: Path,
                 head: dict[str, Any],
                 score: EncoderScores,
                 plot: Optional[Path] = None) -> None:
        self.path, self.score, self.plot = path, score, plot
        # As the file will have it, where a tuple is a list.
        self.head: dict[str, Any] = json.loads(json.dumps(head))
        self.rows: list[dict[str, Any]] = []
        self.left_out: dict[str, str] = {}
        if path.is_file():
            self._read()

    def missing(self, method: str, encoder: str,
                seeds: Sequence[int]) -> list[int]:
        """List the seeds that a row does not have yet."""
        row = self._find(method, encoder)
        return [x for x in seeds if row is None or x not in row['seeds']]

    def add(self, facts: Mapping[str, Any], seed: int, model: Any,
            commit: str) -> None:
        """Evaluate an encoder, add its scores to its row, write the file.

        Args:
            facts (dict): ``method``, ``encoder`` and what else the row says.
            seed (int): Seed of the run.
            model (nn.Module): A model with the encoder.
            commit (str): Version of the code that trained it.
        """
        old = self._find(facts['method'], facts['encoder'])
        scores = dict(old['scores'] if old else {})
        scores[str(seed)] = self.score(model, ['fused'])['fused']
        commits = dict(old['commits'] if old else {}, **{str(seed): commit})
        row = summarize(dict(facts, commits=commits), scores)
        if old is None:
            self.rows.append(row)
        else:
            self.rows[self.rows.index(old)] = row
        self.write()

    def write(self) -> None:
        """Write table and picture; what was not trained comes first."""
        self.rows.sort(
            key=lambda row: (row['method'] != RAW_JOINTS, 'steps' in row))
        content = dict(self.head, rows=self.rows, left_out=self.left_out)
        write_json(self.path, content)
        if self.plot:
            columns = list(self.rows[0]['mean'])
            figure = draw_comparison(shorten_names(self.rows), columns)
            save_figure(figure, self.plot)

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{self.path}: {error}') from error
        if not isinstance(content, dict) or 'rows' not in content:
            raise ValueError(f'{self.path} is no table of a comparison')
        for key, value in self.head.items():
            if content.get(key) != value:
                raise ValueError(
                    f'{self.path} has {key}={content.get(key)}, but {value} '
                    'is asked for; wanted is another --json')
        self.rows, self.left_out = content['rows'], content['left_out']

    def _find(self, method: str, encoder: str) -> Optional[dict[str, Any]]:
        for row in self.rows:
            if (row['method'], row['encoder']) == (method, encoder):
                return row
        return None


def summarize(candidate: Mapping[str, Any],
              scores: Mapping[str, dict[str, float]]) -> dict[str, Any]:
    """Make a row: what was run, and mean and deviation over its seeds.

    Args:
        candidate (dict): ``method``, ``encoder`` and further facts.
        scores (dict[str, dict]): Accuracy by column, for each seed.
    """
    row = make_row(candidate['encoder'], 'fused', list(scores.values()))
    return {
        **candidate, 'seeds': [int(seed) for seed in scores],
        'mean': row['mean'],
        'deviation': row['deviation'],
        'scores': dict(scores)
    }


def shorten_names(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what the names of all pre-training configs end with.

    Args:
        rows (iterable of dict): Those with ``steps`` are pre-trainings.
    """
    copies = [dict(row) for row in rows]
    names = {row['method'] for row in copies if 'steps' in row}
    parts = [name.split('_') for name in names]
    while len(names) > 1 and all(len(x) > 1 for x in parts) and len(
            {x[-1] for x in parts}) == 1:
        parts = [x[:-1] for x in parts]
    short = dict(zip(names, map('_'.join, parts)))
    for row in copies:
        row['method'] = short.get(row['method'], row['method'])
    return copies


def to_markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Make the table of a comparison, accuracies in percent."""
    rows = shorten_names(rows)
    columns = list(rows[0]['mean'])
    head = [
        'method', 'encoder', 'seeds', *columns, 'parameters, M',
        'GFLOPs a clip', 'clips a second', 'steps'
    ]
    lines = []
    for row in rows:
        num_seeds = len(row['seeds'])
        numbers = (row['params'] / 1e6, row['flops'] / 1e9,
                   row.get('clips_a_second'), row.get('steps'))
        lines.append([
            row['method'], row['encoder'],
            str(num_seeds or ''), *percents(row, columns, num_seeds), *(
                '' if not number else text.format(number)
                for text, number in zip(('{:.2f}', '{:.3f}', '{:.0f}', '{}'),
                                        numbers))
        ])
    return table(head, lines, num_texts=2)
