"""Convert a checkpoint of the paper's code for this package, and back."""
import os.path as osp
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tool_arguments import make_parser  # noqa: E402

EPILOG = '''example:
  python tools/convert/convert_umurl_checkpoint.py \\
      ntu60_xsub.pth.tar umurl_ntu60-xsub.pth
  python tools/convert/convert_umurl_checkpoint.py --to-official \\
      umurl_ntu60-xsub.pth ntu60_xsub.pth.tar
  python tools/convert/convert_umurl_checkpoint.py --info ntu60_xsub.pth.tar

A file converted there and back is the same to the bit. The converted file
keeps what this package does not use (epoch, optimizer, position table) under
meta['official'], for the way back only; a training cannot resume from it.
For a checkpoint of a pre-training run of this package, --to-official writes
the epoch and the weights. It writes no optimizer, because the paper's code
counts the parameters in another order.

Configs also take the paper's files without conversion: as load_from, and as
  init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')
of a backbone.
'''


def convert(checkpoint: Any, dst: str, official: bool = False) -> int:
    """Write a checkpoint with the names of this package or of the paper.

    Args:
        checkpoint (dict): The content of a file of
            https://github.com/HuiGuanLab/UmURL, or of a file of this package
            if ``official`` is set.
        dst (str): The file to write. An existing file is replaced.
        official (bool): Write the paper's format. Defaults to False.

    Returns:
        int: The number of weights in ``dst``.

    Raises:
        ValueError: If ``checkpoint`` is no such checkpoint.
    """
    import torch

    from umurl_mmaction.fileio.atomic import replacing
    from umurl_mmaction.models.official.files import to_official, to_ours
    converted = (to_official if official else to_ours)(checkpoint)
    with replacing(dst) as part:
        torch.save(converted, part)
    return len(converted['state_dict'])


def describe(checkpoint: Any) -> str:
    """Describe a checkpoint of either kind, one property in each line.

    Raises:
        ValueError: If it is no such checkpoint.
    """
    from umurl_mmaction.models.official.files import (
        count_parameters,
        is_official,
        measure,
    )
    official = is_official(checkpoint)
    size = measure(checkpoint)
    meta = checkpoint if official else checkpoint.get('meta') or {}
    state_dict = checkpoint['state_dict']
    kept = meta.get('official', {})
    kind = "of the paper's code" if official else 'of this package'
    if kept:
        kind += ", converted from the paper's"
    optimizer = 'yes' if 'optimizer' in checkpoint else 'no'
    if 'optimizer' in kept:
        optimizer = 'kept for --to-official, not used for resuming'
    rows = {
        'checkpoint': kind,
        'epoch': meta.get('epoch', 'unknown'),
        'embed_dims': size.embed_dims,
        'layers': size.num_layers,
        'modalities': ', '.join(size.modalities),
        'clip_len*C': size.spatial_channels,
        'num_person*joints*C': size.temporal_channels,
        'projectors': '-'.join(map(str, size.projector)) or 'none',
        'parameters': f'{count_parameters(state_dict):,}',
        'optimizer': optimizer,
    }
    return '\n'.join(f'{name:<21}{value}' for name, value in rows.items())


def main() -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument(
        'dst', nargs='?', help='checkpoint to write; not needed with --info')
    parser.add_argument(
        '--to-official', action='store_true',
        help="turn one of ours into one of the paper's code")
    parser.add_argument(
        '--info', action='store_true',
        help='describe the checkpoint and write nothing')
    args = parser.parse_args()
    if not osp.isfile(args.src):
        parser.error(f'{args.src} is not there')
    if args.dst is None and not args.info:
        parser.error('DST is missing: the checkpoint to write')
    from umurl_mmaction.command_line import one_line_errors
    from umurl_mmaction.fileio.checkpoints import load_checkpoint
    with one_line_errors(str(args.dst or args.src)):
        checkpoint = load_checkpoint(args.src)
        try:
            if args.info:
                print(describe(checkpoint))
                return
            if not osp.isdir(osp.dirname(args.dst) or '.'):
                parser.error(f'{osp.dirname(args.dst)} is not there')
            count = convert(checkpoint, args.dst, args.to_official)
        except ValueError as error:
            wanted = 'checkpoint of the UmURL code'
            if args.info:
                wanted = 'UmURL checkpoint'
            elif args.to_official:
                wanted = 'checkpoint of this package'
            raise ValueError(f'{args.src} is no {wanted}: {error}') from error
    print(f'{count} weights -> {args.dst}')


if __name__ == '__main__':
    main()
