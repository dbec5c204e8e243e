"""FLOPs and parameters of one fused encoder and of three-stream late fusion.

UmURL compares itself with three uni-modal models whose scores are added. The
table shows both side by side, in training (forward and backward of the
pre-training loss for a sample) and at test time (the encoder for a clip).
Nothing is computed: the matrix products are counted from their shapes.
"""
import copy
import sys
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import add_cfg_options, make_parser  # noqa: E402

if TYPE_CHECKING:
    from mmengine.config import Config

DEFAULT = 'umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'
UNIT = ('One multiply-add is 2 FLOPs. Matrix products are counted (linear '
        'layers, attention, covariances); norms, activations, sums and the '
        'optimizer are not.')
EPILOG = f'''example:
  python tools/analysis/get_flops.py
  python tools/analysis/get_flops.py --cfg-options model.backbone.embed_dims=512 \\
      model.neck.in_channels=1024

{UNIT}
'''  # noqa: E501


@dataclass(frozen=True)
class Cost:
    """The cost of a model.

    Attributes:
        model (str): Its name.
        train_flops (float): FLOPs of the loss's forward and backward for a
            sample.
        train_params (int): Parameters of encoder and projectors.
        test_flops (float): FLOPs of the encoder's forward on a clip.
        test_params (int): Parameters of the encoder.
    """
    model: str
    train_flops: float
    train_params: int
    test_flops: float
    test_params: int


def build_model(cfg: 'Config') -> Any:
    """Build the model of a pre-training config, or raise ``ValueError``."""
    from mmaction.registry import MODELS
    if cfg.get('model', {}).get('type') != 'UmURL':
        raise ValueError("a pre-training config with model.type='UmURL' is "
                         'wanted; tools/analysis/compare.py counts the '
                         'encoders of other methods')
    return MODELS.build(cfg.model)


def measure(name: str, cfg: 'Config', batch_size: int) -> Cost:
    """Count the cost of the model of a pre-training config.

    The loss is that of ``batch_size`` samples: the cost of the covariances
    grows with it.

    Raises:
        ValueError: If it is no such config.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from umurl_mmaction.analysis.flops import count_flops, count_params
    with FakeTensorMode():
        model = build_model(cfg)
        shape = model.backbone.input_shape
        views = [
            torch.empty(batch_size, *shape) for _ in range(model.num_views)
        ]
        train = count_flops(
            lambda: sum(model(views, mode='loss').values()).backward())
        model.eval()
        with torch.no_grad():
            test = count_flops(lambda: model(torch.empty(1, *shape)))
    return Cost(name, train / batch_size, count_params(model), test,
                count_params(model.backbone))


def single_stream(cfg: 'Config', modality: str) -> 'Config':
    """Make the config of a stream of late fusion: two views of a modality."""
    cfg = copy.deepcopy(cfg)
    cfg.model.pop('branches', None)
    cfg.model.backbone.modalities = (modality, )
    return cfg


def compare(cfg: 'Config', batch_size: int) -> list[Cost]:
    """Count the fused model, its first modality alone, and late fusion.

    Raises:
        ValueError: If there is only one modality.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode
    with FakeTensorMode():
        modalities = build_model(cfg).modalities
    if len(modalities) < 2:
        raise ValueError('several modalities are wanted, it has '
                         f'{modalities} only')
    streams = [
        measure(f'one stream ({name})', single_stream(cfg, name), batch_size)
        for name in modalities
    ]
    fused = measure('UmURL, fused', cfg, batch_size)
    totals = map(sum, zip(*(astuple(stream)[1:] for stream in streams)))
    late = Cost(f'late fusion of {len(streams)} streams', *totals)
    return [fused, streams[0], late]


def to_markdown(costs: Sequence[Cost]) -> str:
    """Make a table of costs, with the ratio of the last to the first row."""
    from umurl_mmaction.analysis.markdown import table
    rows = [[
        cost.model, f'{cost.train_flops / 1e9:.2f}',
        f'{cost.train_params / 1e6:.2f}', f'{cost.test_flops / 1e9:.3f}',
        f'{cost.test_params / 1e6:.2f}'
    ] for cost in costs]
    fused, late = (astuple(cost)[1:] for cost in (costs[0], costs[-1]))
    rows.append([
        'late fusion : fused', *(f'{b / a:.2f}' for a, b in zip(fused, late))
    ])
    return table([
        'Model', 'Training: GFLOPs a sample', 'parameters, M',
        'Test: GFLOPs a clip', 'parameters, M'
    ], rows)


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'config', nargs='?', default=DEFAULT,
        help='path or base name of a pre-training config (%(default)s)')
    parser.add_argument(
        '--batch-size', type=int,
        help="samples of a loss (default: the config's whole batch)")
    add_cfg_options(parser)
    parser.add_argument(
        '--json', type=Path, help='also write the numbers to this file')
    args = parser.parse_args(argv)
    from umurl_mmaction.apis import load_config
    from umurl_mmaction.command_line import make_folders, one_line_errors
    from umurl_mmaction.fileio.atomic import write_json
    make_folders(parser, [args.json])
    with one_line_errors(str(args.json or 'the disk')):
        cfg = load_config(args.config, args.cfg_options)
        batch_size = args.batch_size or cfg.get('auto_scale_lr', {}).get(
            'base_batch_size', 512)
        if batch_size < 2:
            parser.error(f'--batch-size must be at least 2, got {batch_size}')
        try:
            costs = compare(cfg, batch_size)
        except ValueError as error:
            raise ValueError(f'{args.config}: {error}') from error
        print(f'{to_markdown(costs)}\n\nThe loss of a batch of {batch_size}. '
              f'{UNIT}')
        if args.json:
            content = dict(
                config=Path(args.config).name,
                cfg_options=args.cfg_options or {},
                batch_size=batch_size,
                unit=UNIT,
                rows=[asdict(cost) for cost in costs])
            write_json(args.json, content)


if __name__ == '__main__':
    main()
