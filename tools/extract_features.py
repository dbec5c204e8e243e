"""Encode a whole set of clips, or windows of it, to a file of features.

The .npz file has an array (G, F) for each kind of feature (fused, joint, bone
or motion), names (G, ), and labels (G, ), -1 for a clip without one. With
--window, a row is a window of a recording: frames (G, 2) are its first frame
and the one after its last. A run that was stopped continues after its last
part: FILE.npz.parts keeps the parts until all are there.
"""
from argparse import Namespace
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
    describe_windows,
    make_parser,
    settle_windows,
)

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from umurl_mmaction.apis import UmURLInferencer

EPILOG = '''example:
  python tools/extract_features.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth --out features.npz \\
      --features fused joint
  python tools/extract_features.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth --out windows.npz \\
      --data recordings.pkl --window 64 --stride 16

in Python:
  features = np.load('features.npz')
  features['fused'], features['names'], features['labels']
'''


def build_dataset(inferencer: 'UmURLInferencer', dataset: dict[str, Any],
                  args: Namespace) -> 'Dataset':
    """Build a dataset of a config, or of windows of its clips."""
    if not args.window:
        from mmaction.registry import DATASETS
        return DATASETS.build(dataset)
    from umurl_mmaction.apis import WindowDataset
    from umurl_mmaction.fileio.recordings import read_recordings
    windows = WindowDataset(
        read_recordings(
            Path(dataset['ann_file']), inferencer.model.backbone.input_shape,
            dataset.get('split'), inferencer.pipeline.takes_score),
        inferencer.pipeline, args.window, args.stride, inferencer.nonfinite)
    print(describe_windows(windows))
    return windows


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    add_model(parser)
    parser.add_argument(
        '--out', type=Path, required=True, metavar='FILE.npz',
        help='file to write')
    parser.add_argument(
        '--features', nargs='+', default=['fused'], metavar='KIND',
        help='fused (of all modalities), or the name of one: joint, bone, '
        'motion (fused)')
    parser.add_argument(
        '--data', metavar='ANN.pkl',
        help="annotations (default: the config's test set)")
    parser.add_argument(
        '--split',
        help='split of the annotations (default: that of the test set; with '
        '--data: all clips)')
    add_windows(parser, 'encode windows of this many frames (whole clips)')
    parser.add_argument(
        '--dtype', choices=['float32', 'float16'], default='float32',
        help='of the features in the file (%(default)s)')
    add_batches(parser)
    parser.add_argument(
        '--workers', type=at_least(0), default=0,
        help='processes that prepare the clips; 0: this one (%(default)s)')
    parser.add_argument(
        '--part-size', type=at_least(1), default=4096,
        help='clips in a part, which a stopped run keeps (%(default)s)')
    add_device(parser)
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.out.suffix != '.npz' or args.out.is_dir():
        parser.error(f'--out must be an .npz file, got {args.out}')
    settle_windows(parser, args)

    from umurl_mmaction.apis.extraction import (
        FeatureExtraction,
        describe_run,
    )
    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        inferencer = build_inferencer(args)
        dataset = inferencer.cfg.test_dataloader.dataset.to_dict()
        if args.data:
            dataset.update(ann_file=args.data, split=args.split)
        elif args.split:
            dataset['split'] = args.split
        run = describe_run(inferencer, args.checkpoint, dataset)
        if args.window:
            run.update(window=args.window, stride=args.stride)
        extraction = FeatureExtraction(
            inferencer,
            build_dataset(inferencer, dataset, args),
            args.out,
            args.features,
            run,
            chunk_size=args.part_size,
            num_workers=args.workers,
            dtype=args.dtype)
        total = len(extraction.chunks)
        done = total - len(extraction.missing_chunks())
        if done:
            print(f'going on: {done} of {total} parts are there')
        arrays = extraction.run()
    for name, array in arrays.items():
        if name != 'about':
            print(f'{name} {array.shape} {array.dtype}')
    print(f'written to {args.out}')


if __name__ == '__main__':
    main()
