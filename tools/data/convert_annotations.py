"""Convert annotations from MMAction2's pickle to an .npz, or back.

Both hold the same. An .npz is arrays only, so that nobody who gets one has to
trust it; MMAction2's own datasets read the pickle only.
"""
import argparse
from pathlib import Path
from typing import Optional

EPILOG = '''example:
  python tools/data/convert_annotations.py ntu60_3d.pkl ntu60_3d.npz
'''


def main(argv: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'src', type=Path, metavar='SRC', help='annotations, .pkl or .npz')
    parser.add_argument(
        'dst', type=Path, metavar='DST', help='file to write, .pkl or .npz')
    parser.add_argument(
        '--trusted', action='store_true',
        help='load whatever the pickle SRC asks for, which runs it')
    args = parser.parse_args(argv)
    # Imported late: --help needs none of it.
    from umurl_mmaction.fileio.annotations import (
        load_annotations,
        save_annotations,
    )
    from umurl_mmaction.command_line import check_suffix, one_line_errors
    from umurl_mmaction.converters.shared import summarize
    check_suffix(parser, 'DST', args.dst)
    with one_line_errors(parser, str(args.dst)):
        data = load_annotations(args.src, args.trusted)
        save_annotations(data, args.dst)
    print(f'{summarize(data)}\nwritten to {args.dst}')


if __name__ == '__main__':
    main()
