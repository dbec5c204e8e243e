"""Predict the class of new clips, and find the clips most like them.

A linear or fine-tuning config gives classes and their scores. A retrieval
(knn) config gives the labels of the nearest clips of its gallery, and names
these clips. With --window, each window of a long recording has a row of its
own, and --timeline draws the classes over the frames.
"""
import csv
import io
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from tool_arguments import (
    add_batches,
    add_cfg_options,
    add_device,
    add_model,
    add_windows,
    at_least,
    build_inferencer,
    make_parser,
    settle_windows,
)

if TYPE_CHECKING:
    from umurl_mmaction.apis import UmURLInferencer, Window

EPILOG = '''example:
  python tools/predict.py umurl-linear_synthetic.py \\
      work_dirs/umurl-linear_synthetic/epoch_150.pth clip1.npy clip2.csv
  python tools/predict.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth new.pkl \\
      --num-nearest 3 --classes data/synthetic.pkl --out new.json
  python tools/predict.py umurl-linear_synthetic.py \\
      work_dirs/umurl-linear_synthetic/epoch_150.pth recording.npy \\
      --window 64 --stride 16 --out windows.csv --timeline classes.png

A clip is a file .npy, .npz, .csv or .json with an array (T, V, C), or (M, T,
V, C) for several bodies, as tools/data/own_skeletons.md describes, or a .pkl
of annotations with many of them.
'''


def make_rows(names: list[str], result: dict[str, Any],
              classes: Optional[Sequence[str]]) -> list[dict[str, Any]]:
    """Make a row for each clip.

    Args:
        names (list[str]): Names of the clips.
        result (dict): Results of the inferencer.
        classes (sequence of str, optional): Names of the classes.

    Returns:
        list[dict]: ``name``, ``label``, ``class`` (if classes have names),
        ``score`` and, with a gallery, ``nearest``: a list of dicts with
        ``name``, ``label``, ``class`` and ``similarity``. A gallery without
        labels leaves out all of ``label``, ``class`` and ``score``.

    Raises:
        ValueError: If a class has no name.
    """
    labelled = 'labels' in result
    num_classes = result['scores'].shape[1] if labelled else 0
    if classes is not None and len(classes) < num_classes:
        raise ValueError(f'--classes must name {num_classes} classes, got '
                         f'{len(classes)}')

    def describe(name: str, label: Any) -> dict[str, Any]:
        row = dict(name=name, label=int(label))
        return row if classes is None else {**row, 'class': classes[label]}

    rows = []
    for i, name in enumerate(names):
        row: dict[str, Any] = dict(name=name)
        if labelled:
            label = result['labels'][i]
            row = describe(name, label)
            row['score'] = float(result['scores'][i, label])
        if 'similarities' in result:
            row['nearest'] = []
            for k, cosine in enumerate(result['similarities'][i]):
                near = str(result['nearest_names'][i, k])
                entry = describe(near, result['nearest_labels'][i, k]
                                 ) if labelled else dict(name=near)
                row['nearest'].append(
                    dict(entry, similarity=float(cosine)))
        rows.append(row)
    return rows


def to_csv(rows: list[dict[str, Any]]) -> str:
    """Write a line for each clip, with the nearest clips in columns."""
    flat = []
    for row in rows:
        row = dict(row)
        for k, near in enumerate(row.pop('nearest', ()), 1):
            row[f'nearest_{k}'] = near['name']
            for key in ('label', 'class'):
                if key in near:
                    row[f'nearest_{key}_{k}'] = near[key]
            row[f'similarity_{k}'] = near['similarity']
        flat.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def predict_windows(
    inferencer: 'UmURLInferencer', clips: list[dict[str, Any]],
    args: Namespace
) -> tuple[list['Window'], dict[str, Any]]:
    """Predict each window of the clips: windows, and arrays as of a call."""
    import numpy as np
    windows: list[Window] = []
    found: dict[str, list[Any]] = {}
    for row in inferencer.iter_windows(clips, args.window, args.stride):
        windows.append(row.pop('window'))
        # Those of hours of recordings are many, and not asked for.
        del row['features']
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    return windows, {name: np.stack(rows) for name, rows in found.items()}


def draw_timeline(windows: list['Window'], result: dict[str, Any],
                  classes: Optional[Sequence[str]], path: Path) -> None:
    """Write the picture of ``--timeline``."""
    import numpy as np

    from umurl_mmaction.visualization import ClassNames, save_figure
    from umurl_mmaction.visualization.timeline import draw_classes
    rows: dict[str, list[int]] = {}
    for i, window in enumerate(windows):
        rows.setdefault(window.recording, []).append(i)
    frames = np.array([window[1:] for window in windows])
    save_figure(
        draw_classes({
            name: (frames[of], result['scores'][of])
            for name, of in rows.items()
        }, ClassNames(classes or ())), path)


def predict(args: Namespace) -> list[dict[str, Any]]:
    """Predict the clips of the command line: a row for each, or a window."""
    from umurl_mmaction.fileio.class_names import read_class_names
    from umurl_mmaction.fileio.recordings import read_recordings
    classes: Optional[Sequence[str]] = None
    if args.classes:
        classes = read_class_names(args.classes)
    inferencer = build_inferencer(
        args, num_nearest=args.num_nearest, show_progress=True)
    shape = inferencer.model.backbone.input_shape
    clips = [
        clip for path in args.clips
        for clip in read_recordings(path, shape, args.split,
                                    inferencer.pipeline.takes_score)
    ]
    if args.window:
        windows, result = predict_windows(inferencer, clips, args)
        names = list(map(str, windows))
    else:
        result = inferencer(clips)
        names = [clip.get('frame_dir', f'clip {i}')
                 for i, clip in enumerate(clips)]
    # What the data call their classes, if they name them all.
    if classes is None and 'scores' in result and (
            len(inferencer.classes) >= result['scores'].shape[1]):
        classes = inferencer.classes
    if not {'labels', 'similarities'} & set(result):
        raise ValueError(f'config {args.config} has neither a classifier nor '
                         'a gallery to tell classes by')
    if args.timeline and 'labels' not in result:
        raise ValueError('--timeline shows classes, but the gallery of '
                         f'{args.config} has clips without labels')
    rows = make_rows(names, result, classes)
    if args.window:
        rows = [dict(window._asdict(), **row)
                for window, row in zip(windows, rows)]
        if args.timeline:
            draw_timeline(windows, result, classes, args.timeline)
    return rows


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    add_model(parser)
    parser.add_argument(
        'clips', type=Path, nargs='+', metavar='CLIP',
        help='clips, or annotations')
    parser.add_argument(
        '--out', type=Path, metavar='FILE',
        help='.csv or .json file to write (as .csv to the terminal)')
    parser.add_argument(
        '--classes', type=Path, metavar='FILE',
        help='names of the classes: a text with a line each, or annotations '
        'that have them, .pkl or .npz (those of the gallery, or of the set '
        'that the classifier was trained on)')
    parser.add_argument(
        '--num-nearest', type=at_least(1), metavar='K',
        help='clips of the gallery to name (as many as vote in the config)')
    parser.add_argument(
        '--split', help='split of the annotations to take (all clips)')
    add_windows(parser, 'predict each window of this many frames (whole '
                'clips)')
    parser.add_argument(
        '--timeline', type=Path, metavar='FILE',
        help='picture to write of the classes over the frames, with --window')
    add_batches(parser)
    add_device(parser)
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.out is not None and (args.out.suffix not in ('.csv', '.json')
                                 or args.out.is_dir()):
        parser.error(f'--out must be a .csv or .json file, got {args.out}')
    settle_windows(parser, args)
    if args.timeline is not None and (args.window is None
                                      or args.timeline.suffix != '.png'):
        parser.error('--timeline must be a .png file, with --window; got '
                     f'{args.timeline}')

    # Only the table goes to the standard output.
    with redirect_stdout(sys.stderr):
        from umurl_mmaction.command_line import one_line_errors
        from umurl_mmaction.fileio.atomic import write_text
        with one_line_errors(str(args.out or 'the table')):
            rows = predict(args)
            as_json = args.out is not None and args.out.suffix == '.json'
            text = json.dumps(rows, indent=2) + '\n' if as_json else (
                to_csv(rows))
            if args.out is not None:
                write_text(args.out, text)
    print(text if args.out is None else f'written to {args.out}\n', end='')


if __name__ == '__main__':
    main()
