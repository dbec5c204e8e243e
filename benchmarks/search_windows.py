"""Time the search of a query in the features of many windows.

It writes a file of random features as tools/extract_features.py --window does,
and searches it: first from the disk, then from the page cache. The file is
removed in the end.
"""
import json
import os
import resource
import sys
import tempfile
import time
import zipfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import numpy as np

from umurl_mmaction.apis import MotionSearch

BLOCK = 10_000
# Windows of a recording: an hour of 30 frames a second, each 16 frames.
RECORDING = 6750
STEPS = ('to open', 'a query, from the disk', 'a query, cached',
         'ten queries at once, cached', 'ten moments of their cosines')


def blocks(num: int, dims: int, dtype: str) -> Iterator[np.ndarray]:
    """Make random features, of a block drawn once and shifted each time."""
    rng = np.random.default_rng(0)
    block = rng.standard_normal((BLOCK, dims), np.float32)
    for start in range(0, num, BLOCK):
        shift = rng.standard_normal(dims, np.float32)
        yield (block + shift).astype(dtype)[:num - start]


def write_windows(path: Path, num: int, dims: int, dtype: str) -> None:
    """Write a file of windows, block by block."""
    row = np.arange(num)
    start = row % RECORDING * 16
    arrays = dict(
        names=np.char.add('recording ', (row // RECORDING).astype(str)),
        frames=np.stack([start, start + 64], axis=1),
        about=np.array(json.dumps(dict(window=64, stride=16))))
    with zipfile.ZipFile(path, 'w') as archive:
        with archive.open('fused.npy', 'w', force_zip64=True) as f:
            np.lib.format.write_array_header_1_0(
                f,
                dict(
                    descr=np.dtype(dtype).str,
                    fortran_order=False,
                    shape=(num, dims)))
            for block in blocks(num, dims, dtype):
                f.write(block.tobytes())
        for name, array in arrays.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as f:
                np.lib.format.write_array(f, array)


def now() -> tuple[float, float]:
    """Return the time, and that of this process on all cores."""
    return time.perf_counter(), time.process_time()


def forget(path: Path) -> None:
    """Take a file out of the page cache, on Linux."""
    with open(path, 'rb') as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main(argv: Optional[list[str]] = None) -> None:
    parser = ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument('--windows', type=int, default=1_000_000)
    parser.add_argument('--dims', type=int, default=512)
    parser.add_argument(
        '--dtype', choices=['float32', 'float16'], default='float32')
    parser.add_argument(
        '--folder', help='where the file is written (a temporary folder)')
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / 'windows.npz'
        write_windows(path, args.windows, args.dims, args.dtype)
        size = path.stat().st_size
        forget(path)
        times = [now()]
        search = MotionSearch(path)
        times.append(now())
        queries = np.random.default_rng(1).standard_normal((10, args.dims))
        cosines = search.cosines(queries[0])
        times.append(now())
        search.cosines(queries[1])
        times.append(now())
        search.cosines(queries)
        times.append(now())
        found = search.find(cosines, 10)
        times.append(now())
    assert len(found) == 10
    print(f'{args.windows} windows, {args.dims} x {args.dtype}, '
          f'{size / 1e9:.2f} GB, {len(search.rows)} recordings, NumPy '
          f'{np.__version__}, {os.cpu_count()} cores')
    print('elapsed    CPU, seconds')
    for name, (elapsed, busy) in zip(STEPS, np.diff(times, axis=0)):
        print(f'{elapsed:7.2f} {busy:6.2f}  {name}')
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f'{peak / 1e6:8.2f} GB peak RSS, with the mapped pages '
          f'({sys.platform})')


if __name__ == '__main__':
    main()
