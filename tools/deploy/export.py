"""Export an encoder and its classifier, with the preparation of raw clips.

The file takes recorded joints, (N, M, T, V, C), in float32: clips, bodies,
frames, joints, coordinates. Missing bodies and joints are zeros.
N and T may be any number; all clips of one call have the same T.
"""
import sys
from pathlib import Path
from typing import Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import (  # noqa: E402
    add_cfg_options,
    add_device,
    add_model,
    build_inferencer,
    make_parser,
)

EPILOG = '''example:
  python tools/deploy/export.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth --out umurl.onnx

The outputs are features (N, F) and, of a linear or fine-tuned model, scores
(N, num_classes).
'''

FORMATS = ('onnx', 'torchscript', 'torch_export')


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    add_model(parser, 'path or base name of a config')
    parser.add_argument(
        '--out', type=Path, required=True, metavar='FILE',
        help='file to write: .onnx, .pt (torchscript) or .pt2 (torch_export)')
    parser.add_argument(
        '--format', choices=FORMATS, default='onnx',
        help='what to write (%(default)s)')
    add_device(
        parser, 'cpu',
        'device that the file will run on; onnx runs anywhere (%(default)s)')
    add_cfg_options(parser)
    args = parser.parse_args(argv)

    from umurl_mmaction.apis.deploy import DeployModel, export
    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        model = DeployModel(build_inferencer(args))
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
