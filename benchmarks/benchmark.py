"""Measure the plain method and this package side by side.

One process runs both in turn (A B A B) on generated data and takes medians.
The baseline is tests/reference, which writes the formulas of the method in
plain code with torch's defaults. The program therefore needs a checkout of
the repository. It always measures full precision beside the chosen one.
"""
import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Optional

import numpy as np
from parts import PARTS

EPILOG = '''parts:
  data       views of a batch: NumPy clip by clip, our pipeline, our batches
  forward    views to loss
  step       forward, backward, optimizer; share of the matmul peak
  memory     peak of the regulariser (512 samples, 4096 channels) and of a step
  methods    a step of the other methods, without the optimizer
  probe      linear probe that encodes in every epoch, or once
  retrieval  full similarity matrix, or ours
  loader     the dataloader: clips per second, memory of all its processes
  loop       pre-training by MMEngine's Runner; estimated time of 451 epochs

example:
  python benchmarks/benchmark.py --embed-dims 256 512 1024 \\
      --batch-size 64 128 --json results.json --plot results.png
  python benchmarks/benchmark.py --parts loader --num-clips 114000
  python benchmarks/benchmark.py --table results.json

benchmarks/README.md explains the numbers, and how to run the program on a
machine without a network.
'''


def parse_args(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--parts', nargs='+', choices=PARTS, default=list(PARTS),
        metavar='PART', help='what to measure (default: all)')
    parser.add_argument(
        '--device', choices=('cpu', 'cuda'),
        help='default: cuda where there is one')
    parser.add_argument(
        '--precision', choices=('fp32', 'bf16', 'fp16'), default='bf16',
        help='compared with fp32 (default: %(default)s)')
    parser.add_argument(
        '--embed-dims', type=int, nargs='+', default=[1024],
        help="widths of the encoder (default: 1024, the paper's)")
    parser.add_argument(
        '--batch-size', type=int, nargs='+',
        help='samples of a step; parts that need one size take the largest '
        '(default: 128 512 on cuda, 32 on cpu)')
    parser.add_argument(
        '--steps', type=int,
        help='timed rounds (default: 20 on cuda, 5 on cpu)')
    parser.add_argument(
        '--num-workers', type=int, default=min(8, os.cpu_count() or 1),
        help='of a dataloader (default: %(default)s)')
    parser.add_argument(
        '--num-clips', type=int,
        help='size of the sets of probe, loader and loop (default on cuda: '
        '4096, 114000, 40091; on cpu: 256, 4000, four batches)')
    parser.add_argument(
        '--compile', action='store_true',
        help='also measure the product under torch.compile; the loop only so')
    parser.add_argument(
        '--smoke', action='store_true',
        help='run every part in a tiny size to see that it works; the numbers '
        'mean nothing')
    parser.add_argument(
        '--json', type=Path,
        help='file for the numbers, written after each part')
    parser.add_argument(
        '--plot', type=Path,
        help='PNG of the samples per second of the steps')
    parser.add_argument(
        '--table', type=Path, metavar='JSON',
        help='measure nothing, but print the tables of an earlier --json (and '
        'draw its --plot)')
    parser.add_argument(
        '--fill', type=Path, metavar='PAGE.md',
        help='measure nothing, but renew the tables of this page from the '
        'JSON files that it names')
    args = parser.parse_args(argv)
    for name, low in (('embed_dims', 2), ('batch_size', 2), ('steps', 1),
                      ('num_workers', 0), ('num_clips', 2)):
        value = getattr(args, name)
        if value is not None and min(np.atleast_1d(value)) < low:
            parser.error(f'--{name.replace("_", "-")} must be at least '
                         f'{low}, got {value}')
    # Loggers and bars keep the stdout of the time of their import.
    with redirect_stdout(sys.stderr):
        from umurl_mmaction.command_line import make_folders
    make_folders(parser, [args.json, args.plot])
    if args.table or args.fill:
        path = args.fill or args.table
        if not path.is_file():
            parser.error(f'{path} is not there')
        return args
    if args.plot and 'step' not in args.parts:
        parser.error('--plot draws steps: add step to --parts')
    check_possible(parser, args)
    batch_size = max(make_settings(args).batch_sizes)
    if args.num_clips is not None and args.num_clips < batch_size:
        parser.error(f'--num-clips {args.num_clips} do not fill a batch of '
                     f'{batch_size}')
    return args


def check_possible(parser: argparse.ArgumentParser,
                   args: argparse.Namespace) -> None:
    """Refuse options that cannot run here, and set the device."""
    if args.device == 'cpu':
        # Without this, MMEngine would use the GPU. It looks for one when it
        # is imported, as the next line does.
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    from parts.plain import plain
    try:
        plain('augment')
    except FileNotFoundError as error:
        parser.error(str(error))
    # Silence the profiler, which counts memory.
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')
    import torch
    has_cuda = torch.cuda.is_available()
    if args.device == 'cuda' and not has_cuda:
        parser.error('--device cuda, but torch finds no GPU')
    args.device = args.device or ('cuda' if has_cuda else 'cpu')
    if args.device == 'cpu' and args.precision == 'fp16':
        parser.error('--precision fp16 wants a GPU; a CPU has bf16')


def make_settings(args: argparse.Namespace) -> Any:
    """Complete the options with the defaults of the device."""
    from parts.settings import Settings
    cuda = args.device == 'cuda'
    if args.smoke:
        return Settings(args.device, args.precision, (16, ), (4, ), 2,
                        min(1, args.num_workers), args.num_clips,
                        args.compile, True)
    return Settings(
        args.device,
        args.precision,
        tuple(args.embed_dims),
        tuple(args.batch_size or ([128, 512] if cuda else [32])),
        args.steps or (20 if cuda else 5),
        args.num_workers,
        args.num_clips,
        args.compile)


def run(settings: Any, parts: Sequence[str],
        path: Optional[Path]) -> dict[str, Any]:
    """Measure the parts, and write the results to a file after each of them.

    Returns:
        dict: ``machine``, ``settings``, ``peak`` (FLOP/s by precision) and
        ``rows`` (a list of ``Row`` as dicts).
    """
    from parts.machine import describe
    from parts.report import add_ratios, add_shares
    from parts.settings import DTYPES
    from parts.timing import matmul_peak
    results: dict[str, Any] = dict(
        machine=describe(settings.device),
        settings=asdict(settings),
        peak={},
        rows=[])
    if 'step' in parts:
        announce('peak')
        size = settings.pick(smoke=64, cpu=4096, cuda=8192)
        results['peak'] = {
            name: matmul_peak(size, DTYPES[name], settings.device,
                              settings.steps)
            for name in settings.precisions
        }
    from umurl_mmaction.fileio.atomic import write_text
    for part in parts:
        announce(part)
        measure = getattr(import_module(f'parts.{PARTS[part]}'), part)
        results['rows'] += [asdict(row) for row in measure(settings)]
        add_ratios(results['rows'])
        add_shares(results['rows'], results['peak'])
        if path:
            write_text(path, json.dumps(results, indent=1) + '\n')
    return results


def announce(what: str) -> None:
    print(f'== {what}', file=sys.stderr, flush=True)


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse_args(argv)
    from parts.report import draw, fill, to_markdown

    if args.fill:
        from umurl_mmaction.fileio.atomic import write_text
        page = fill(args.fill.read_text(), args.fill.parent)
        write_text(args.fill, page)
        return
    if args.table:
        results = json.loads(args.table.read_text())
    else:
        with redirect_stdout(sys.stderr):
            from mmengine.registry import init_default_scope

            import umurl_mmaction  # noqa: F401
            init_default_scope('mmaction')
            results = run(make_settings(args), args.parts, args.json)
    print(to_markdown(results))
    if args.plot:
        draw(results, str(args.plot))


if __name__ == '__main__':
    main()
