"""Export an encoder, and its classifier, with the preparation of raw clips.

The file takes joints as they are recorded, (N, M, T, V, C): clips, bodies,
frames, joints, coordinates, in float32, with zeros where a body or joint is
missing. N and T may be any; all clips of one call have the same T.
"""
import argparse
from pathlib import Path
from typing import Optional

from mmengine.config import DictAction

EPILOG = '''example:
  python tools/deploy/export.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth --out umurl.onnx

The outputs are features (N, F) and, of a linear or fine-tuned model, scores
(N, num_classes).
'''

FORMATS = ('onnx', 'torchscript', 'torch_export')


def main(argv: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config', metavar='CONFIG', help='path or base name of a config')
    parser.add_argument('checkpoint', metavar='CKPT', help='its weights')
    parser.add_argument(
        '--out', type=Path, required=True, metavar='FILE',
        help='file to write: .onnx, .pt (torchscript) or .pt2 (torch_export)')
    parser.add_argument(
        '--format', choices=FORMATS, default='onnx',
        help='what to write (%(default)s)')
    parser.add_argument(
        '--device', default='cpu',
        help='where the file is to be used, for all but onnx, which runs '
        'anywhere (%(default)s)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='settings of the config to change')
    args = parser.parse_args(argv)

    from umurl_mmaction.apis import UmURLInferencer
    from umurl_mmaction.apis.deploy import DeployModel, export
    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(parser, str(args.out)):
        inferencer = UmURLInferencer(
            args.config,
            args.checkpoint,
            device=args.device,
            cfg_options=args.cfg_options)
        model = DeployModel(inferencer)
        print('exporting, which takes a while', flush=True)
        try:
            difference = export(model, args.format, args.out)
        except ImportError as error:
            parser.error(f'{error}; pip install "umurl_mmaction[export]" '
                         'brings what exporting needs')
    num_person, _, num_joints, coords = model.backbone.input_shape
    outputs = ' and '.join(model.output_names)
    print(f'joints (N, {num_person}, T, {num_joints}, {coords}) -> {outputs}')
    print('not checked: onnxruntime is not installed' if difference is None
          else f'differs from PyTorch by {difference:.1e} of its largest '
          'output')
    print(f'written to {args.out}')


if __name__ == '__main__':
    main()
