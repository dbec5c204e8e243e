"""A table of runs: config, epochs, losses, accuracies, time.

Each work_dir of MMEngine is a row, made from its JSON logs and its config. A
run that was stopped and resumed is one row. Accuracies come from the last
validation (of probes and of retrieval; the table adds the best one if it was
another) and from the last test. Retrieval with the encoder before its training
is no validation, and stands beside them as 'untrained'. Times are of training
iterations, without validations. A folder that holds several runs gives a row
for each.
"""
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import make_parser  # noqa: E402

EPILOG = '''example:
  python tools/analysis/summarize.py work_dirs/pretrain work_dirs/linear \\
      work_dirs/knn --json summary.json
'''


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'folders', nargs='+', type=Path, metavar='WORK_DIR',
        help='folder of a run, or of several')
    parser.add_argument(
        '--json', type=Path, metavar='FILE',
        help='also write the rows to this file, all digits of them')
    args = parser.parse_args(argv)
    from umurl_mmaction.command_line import make_folders, one_line_errors
    from umurl_mmaction.fileio.atomic import write_json
    make_folders(parser, [args.json])

    from umurl_mmaction.analysis.run_summary import (
        find_runs,
        summarize_run,
        to_markdown,
    )
    with one_line_errors(str(args.json or 'the disk')):
        # Folders may overlap: each run counts once.
        runs = dict.fromkeys(
            run for folder in args.folders for run in find_runs(folder))
        rows = [summarize_run(run) for run in runs]
        print(to_markdown(rows))
        if args.json:
            content = [asdict(row) for row in rows]
            write_json(args.json, content)


if __name__ == '__main__':
    main()
