"""Convert a checkpoint of the paper's code for this package, and back."""
import argparse
import os.path as osp
from pathlib import Path
from pickle import UnpicklingError

import torch

from umurl_mmaction.fileio.atomic import replacing
from umurl_mmaction.fileio.checkpoints import load_checkpoint
from umurl_mmaction.models.official.files import (
    count_parameters,
    is_official,
    measure,
    to_official,
    to_ours,
)

EPILOG = '''example:
  python tools/convert/convert_umurl_checkpoint.py \\
      ntu60_xsub.pth.tar umurl_ntu60-xsub.pth
  python tools/convert/convert_umurl_checkpoint.py --to-official \\
      umurl_ntu60-xsub.pth ntu60_xsub.pth.tar
  python tools/convert/convert_umurl_checkpoint.py --info ntu60_xsub.pth.tar

There and back nothing is lost, to the bit: what this package does not use
(epoch, optimizer, position table) is kept in the converted file, under
meta['official'], for the way back only; training cannot be resumed from it.
Of a checkpoint of a pre-training run here, --to-official writes epoch and
weights, but no optimizer, whose state is in another order.

Configs also take the paper's files as they are: as load_from, and as
  init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')
of a backbone.
'''


def convert(src: str, dst: str, official: bool = False) -> int:
    """Write ``src`` under our names, or the paper's, to ``dst``.

    Args:
        src (str): Checkpoint of https://github.com/HuiGuanLab/UmURL; one of
            ours if ``official`` is set.
        dst (str): File to write; an existing one is replaced.
        official (bool): Write the paper's format. Defaults to False.

    Returns:
        int: Number of weights written.

    Raises:
        ValueError: If ``src`` is no such checkpoint.
        pickle.UnpicklingError: If it does not hold weights only.
    """
    converted = (to_official if official else to_ours)(
        load_checkpoint(src))
    with replacing(Path(dst)) as part:
        torch.save(converted, part)
    return len(converted['state_dict'])


def describe(path: str) -> str:
    """What a checkpoint of either kind is, a line for each property.

    Args:
        path (str): An existing file.

    Returns:
        str: Text to print.

    Raises:
        ValueError: If it is no such checkpoint.
        pickle.UnpicklingError: If it does not hold weights only.
    """
    checkpoint = load_checkpoint(path)
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
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument(
        'dst', nargs='?', help='checkpoint to write; not needed with --info')
    parser.add_argument(
        '--to-official',
        action='store_true',
        help="turn one of ours into one of the paper's code")
    parser.add_argument(
        '--info',
        action='store_true',
        help='print what the checkpoint is and write nothing')
    args = parser.parse_args()
    if not osp.isfile(args.src):
        parser.error(f'{args.src} is not there')
    if args.dst is None and not args.info:
        parser.error('DST is missing: the checkpoint to write')
    try:
        if args.info:
            print(describe(args.src))
            return
        if not osp.isdir(osp.dirname(args.dst) or '.'):
            parser.error(f'{osp.dirname(args.dst)} is not there')
        count = convert(args.src, args.dst, args.to_official)
    except UnpicklingError as error:
        parser.error(str(error))
    except ValueError as error:
        wanted = 'checkpoint of the UmURL code'
        if args.info:
            wanted = 'UmURL checkpoint'
        elif args.to_official:
            wanted = 'checkpoint of this package'
        parser.error(f'{args.src} is no {wanted}: {error}')
    print(f'{count} weights -> {args.dst}')


if __name__ == '__main__':
    main()
