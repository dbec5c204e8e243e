"""Say what new clips show: their class, and the clips most like them.

A linear or fine-tuning config gives classes and their scores, a retrieval
(knn) config the labels of the nearest clips of its gallery, and these clips.
"""
import argparse
import csv
import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Optional

from mmengine.config import DictAction

EPILOG = '''example:
  python tools/predict.py umurl-linear_synthetic.py \\
      work_dirs/umurl-linear_synthetic/epoch_150.pth clip1.npy clip2.csv
  python tools/predict.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth new.pkl \\
      --num-nearest 3 --classes data/synthetic.pkl --out new.json

A clip is a file .npy, .npz, .csv or .json with an array (T, V, C), or (M, T,
V, C) for several bodies, as tools/data/own_skeletons.md describes, or a .pkl
of annotations with many of them.
'''


def read_clips(path: Path, input_shape: Optional[tuple[int, ...]],
               split: Optional[str]) -> list[dict[str, Any]]:
    """Read the clips of a file.

    Args:
        path (Path): File with an array, or annotations.
        input_shape (tuple[int], optional): (M, T, V, C) of the model.
        split (str, optional): Split of the annotations to take; None for
            all clips.

    Returns:
        list[dict]: Annotations.

    Raises:
        ValueError: If there is no clip in it.
    """
    from umurl_mmaction.fileio.annotations import load_annotations
    from umurl_mmaction.fileio.annotations_npz import is_annotations
    from umurl_mmaction.fileio.clips import SUFFIXES, Clip, read_clip
    if path.suffix in SUFFIXES and not is_annotations(path):
        num_joints, coords = input_shape[2:] if input_shape else (None, None)
        keypoint = read_clip(Clip(path, num_joints, coords))
        return [dict(frame_dir=str(path), keypoint=keypoint)]
    if path.suffix not in ('.pkl', '.npz'):
        raise ValueError(f'{path}: expected a clip ({", ".join(SUFFIXES)}) or '
                         'annotations (.pkl, .npz)')
    data = load_annotations(path)
    clips = data['annotations'] if isinstance(data, dict) else data
    if split is not None:
        splits = data.get('split', {}) if isinstance(data, dict) else {}
        if split not in splits:
            raise ValueError(f'{path}: expected one of the splits '
                             f'{sorted(splits)}, got {split!r}')
        names = set(splits[split])
        clips = [clip for clip in clips if clip['frame_dir'] in names]
    if not clips:
        raise ValueError(f'{path}: expected clips, got none')
    return clips


def read_classes(path: Path) -> list[str]:
    """Names of the classes: ``classes`` of annotations, or a line each.

    Raises:
        ValueError: If there are none.
    """
    from umurl_mmaction.fileio.annotations import load_annotations
    if path.suffix in ('.pkl', '.npz'):
        data = load_annotations(path)
        classes = data.get('classes') if isinstance(data, dict) else None
    else:
        classes = path.read_text(encoding='utf-8').splitlines()
    if not classes:
        raise ValueError(f'{path}: expected names of classes, got none')
    return list(classes)


def make_rows(names: list[str], result: dict[str, Any],
              classes: Optional[list[str]]) -> list[dict[str, Any]]:
    """What is said of each clip.

    Args:
        names (list[str]): The clips' names.
        result (dict): What the inferencer gives.
        classes (list[str], optional): Names of the classes.

    Returns:
        list[dict]: ``name``, ``label``, ``class`` (if they have names),
        ``score`` and, with a gallery, ``nearest``: a list of dicts with
        ``name``, ``label`` and ``similarity``.

    Raises:
        ValueError: If a class has no name.
    """
    num_classes = result['scores'].shape[1]
    if classes is not None and len(classes) < num_classes:
        raise ValueError(f'--classes must name {num_classes} classes, got '
                         f'{len(classes)}')
    rows = []
    for i, name in enumerate(names):
        label = int(result['labels'][i])
        row: dict[str, Any] = dict(name=name, label=label)
        if classes is not None:
            row['class'] = classes[label]
        row['score'] = float(result['scores'][i, label])
        if 'similarities' in result:
            row['nearest'] = [
                dict(name=str(near), label=int(of), similarity=float(cosine))
                for near, of, cosine in zip(
                    result['nearest_names'][i], result['nearest_labels'][i],
                    result['similarities'][i])
            ]
        rows.append(row)
    return rows


def to_csv(rows: list[dict[str, Any]]) -> str:
    """A line a clip, the nearest clips in numbered columns."""
    flat = []
    for row in rows:
        row = dict(row)
        for k, near in enumerate(row.pop('nearest', ()), 1):
            row[f'nearest_{k}'] = near['name']
            row[f'nearest_label_{k}'] = near['label']
            row[f'similarity_{k}'] = near['similarity']
        flat.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def predict(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Predict the clips of the command line; a row of each."""
    from umurl_mmaction.apis import UmURLInferencer
    classes = read_classes(args.classes) if args.classes else None
    inferencer = UmURLInferencer(
        args.config,
        args.checkpoint,
        device=args.device,
        precision=args.precision,
        batch_size=args.batch_size,
        num_nearest=args.num_nearest,
        show_progress=True,
        cfg_options=args.cfg_options)
    shape = getattr(inferencer.model.backbone, 'input_shape', None)
    clips = [
        clip for path in args.clips
        for clip in read_clips(path, shape, args.split)
    ]
    result = inferencer(clips)
    if 'labels' not in result:
        raise ValueError(f'config {args.config} has neither a classifier nor '
                         'a gallery to tell classes by')
    names = [clip.get('frame_dir', f'clip {i}')
             for i, clip in enumerate(clips)]
    return make_rows(names, result, classes)


def main(argv: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config', metavar='CONFIG',
        help='path or base name of a linear, fine-tuning or retrieval config')
    parser.add_argument('checkpoint', metavar='CKPT', help='its weights')
    parser.add_argument(
        'clips', type=Path, nargs='+', metavar='CLIP',
        help='clips, or annotations')
    parser.add_argument(
        '--out', type=Path, metavar='FILE',
        help='.csv or .json file to write (as .csv to the terminal)')
    parser.add_argument(
        '--classes', type=Path, metavar='FILE',
        help='names of the classes: a text with a line each, or annotations '
        'that have them (.pkl)')
    parser.add_argument(
        '--num-nearest', type=int, metavar='K',
        help='clips of the gallery to name (as many as vote in the config)')
    parser.add_argument(
        '--split', help='split of the annotations to take (all clips)')
    parser.add_argument(
        '--batch-size', type=int, default=64, help='(%(default)s)')
    parser.add_argument(
        '--precision', choices=['fp32', 'bf16', 'fp16'], default='fp32',
        help='(%(default)s)')
    parser.add_argument(
        '--device', help='such as cpu or cuda:0 (the best that there is)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='settings of the config to change')
    args = parser.parse_args(argv)
    if args.out is not None and (args.out.suffix not in ('.csv', '.json')
                                 or args.out.is_dir()):
        parser.error(f'--out must be a .csv or .json file, got {args.out}')

    # The terminal's output is the table and nothing else.
    with redirect_stdout(sys.stderr):
        from umurl_mmaction.command_line import one_line_errors
        from umurl_mmaction.fileio.atomic import replacing
        with one_line_errors(parser, str(args.out or 'the table')):
            rows = predict(args)
            as_json = args.out is not None and args.out.suffix == '.json'
            text = json.dumps(rows, indent=2) + '\n' if as_json else (
                to_csv(rows))
            if args.out is not None:
                with replacing(args.out) as part:
                    part.write_text(text, encoding='utf-8')
    print(text if args.out is None else f'written to {args.out}\n', end='')


if __name__ == '__main__':
    main()
