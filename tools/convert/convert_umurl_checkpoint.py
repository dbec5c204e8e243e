"""Convert a checkpoint of the paper's code for this package."""
import argparse
import os
import os.path as osp

import torch

from umurl_mmaction.models.official_checkpoint import convert_state_dict

EPILOG = '''example:
  python tools/convert/convert_umurl_checkpoint.py \\
      ntu60_xsub.pth.tar umurl_ntu60-xsub.pth
'''


def convert(src: str, dst: str) -> int:
    """Write ``src`` under our names to ``dst``.

    Args:
        src (str): Checkpoint of https://github.com/HuiGuanLab/UmURL.
        dst (str): File to write; an existing one is replaced.

    Returns:
        int: Number of weights written.

    Raises:
        ValueError: If ``src`` is no such checkpoint.
    """
    checkpoint = torch.load(src, map_location='cpu', weights_only=True)
    if not isinstance(checkpoint, dict) or 'state_dict' not in checkpoint:
        raise ValueError(f"{src} has no 'state_dict'")
    state_dict = convert_state_dict(checkpoint['state_dict'])
    meta = dict(epoch=checkpoint.get('epoch'), source=osp.basename(src))
    partial = f'{dst}.{os.getpid()}.part'
    try:
        torch.save(dict(meta=meta, state_dict=state_dict), partial)
        os.replace(partial, dst)
    finally:
        if osp.exists(partial):
            os.remove(partial)
    return len(state_dict)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', help="checkpoint of the paper's code")
    parser.add_argument('dst', help='checkpoint to write')
    args = parser.parse_args()
    if not osp.isfile(args.src):
        parser.error(f'{args.src} is not there')
    try:
        count = convert(args.src, args.dst)
    except ValueError as error:
        parser.error(f'{args.src} is no checkpoint of the UmURL code: {error}')
    print(f'{count} weights -> {args.dst}')


if __name__ == '__main__':
    main()
