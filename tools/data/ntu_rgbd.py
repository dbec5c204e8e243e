"""Convert NTU RGB+D 60 or 120 skeletons to an MMAction2 pickle.

Reads the .skeleton files of a folder, of the .zip as downloaded, or of
several of both.
"""
import math
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple, NoReturn, Optional

import numpy as np
from converter_arguments import add_shared, make_parser, run_converter

if TYPE_CHECKING:
    from umurl_mmaction.converters.clip_collector import ClipCollector

EPILOG = '''example:
  python tools/data/ntu_rgbd.py nturgbd_skeletons_s001_to_s017.zip \\
      --dataset 60 --out data/skeleton/ntu60_3d.pkl
'''

NUM_JOINTS = 25
# Of Kinect's up to six, the paper's code looks at so many and keeps two.
MAX_SEEN, MAX_KEPT = 4, 2
# The files hold decimals, annotations float32.
LARGEST = float(np.finfo(np.float32).max)
# Names of the 535 clips of both releases without proper skeletons.
MISSING = Path(__file__).with_name('ntu_rgbd_missing.txt')


# The releases -------------------------------------------------------------
class ClipName(NamedTuple):
    """What a name such as S001C002P003R002A013 says."""
    setup: int
    camera: int
    subject: int
    repeat: int
    action: int


class Release(NamedTuple):
    """Size and splits of a release."""
    highest: ClipName
    training: dict[str, Callable[[ClipName], bool]]


SUBJECTS_60 = frozenset([
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38
])
SUBJECTS_120 = SUBJECTS_60 | frozenset([
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81,
    82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103
])
RELEASES = {
    '60':
    Release(
        ClipName(17, 3, 40, 2, 60),
        dict(
            xsub=lambda clip: clip.subject in SUBJECTS_60,
            xview=lambda clip: clip.camera in (2, 3))),
    '120':
    Release(
        ClipName(32, 3, 106, 2, 120),
        dict(
            xsub=lambda clip: clip.subject in SUBJECTS_120,
            xset=lambda clip: clip.setup % 2 == 0)),
}


def parse_name(name: str) -> ClipName:
    """Read ``SsssCcccPpppRrrrAaaa``; ``ValueError`` if it is no such name."""
    match = re.fullmatch(''.join(f'{x}([0-9]{{3}})' for x in 'SCPRA'), name)
    if not match:
        raise ValueError(
            f'expected a name like S001C002P003R002A013, got {name!r}')
    return ClipName(*map(int, match.groups()))


def read_missing(path: Path) -> set[str]:
    """Read a list of clips to leave out, as published.

    Args:
        path (Path): A text file with a name a line. Lines with blanks in
            them, such as the published lists' headings, are left out.

    Returns:
        set[str]: The names.
    """
    names = set()
    lines = path.read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(lines, 1):
        if len(line.split()) == 1:
            name = line.strip()
            try:
                parse_name(name)
            except ValueError as error:
                raise ValueError(f'{path}, line {number}: {error}') from None
            names.add(name)
    return names


# The files ----------------------------------------------------------------
class Recording(NamedTuple):
    """A .skeleton file: ``path``, or ``member`` of the zip at ``path``."""
    name: str
    path: str
    member: str = ''

    def __str__(self) -> str:
        return f'{self.path}/{self.member}' if self.member else self.path


def find_files(paths: Iterable[Path]) -> list[Recording]:
    """Find the .skeleton files in folders and zip files.

    Args:
        paths (Iterable[Path]): Folders, searched to any depth, and zips.

    Returns:
        list[Recording]: In the order of their names.

    Raises:
        ValueError: If there is none in one of ``paths``, or one twice.
    """
    found: dict[str, Recording] = {}
    for path in paths:
        if path.is_dir():
            files = [(str(file), '') for file in path.rglob('*.skeleton')]
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                files = [(str(path), name) for name in archive.namelist()
                         if name.endswith('.skeleton')]
        elif path.exists():
            raise ValueError(f'{path} is neither a folder nor a whole zip')
        else:
            raise ValueError(f'{path} is not there')
        recordings = [
            Recording(Path(member or file).stem, file, member)
            for file, member in files
        ]
        # macOS puts files named ._* into its zips.
        recordings = [x for x in recordings if not x.name.startswith('.')]
        if not recordings:
            raise ValueError(f'{path} has no .skeleton file')
        for recording in recordings:
            other = found.setdefault(recording.name, recording)
            if other is not recording:
                both = sorted([str(other), str(recording)])
                raise ValueError(f'{recording.name} is there twice: {both[0]} '
                                 f'and {both[1]}')
    return [found[name] for name in sorted(found)]


class Lines:
    """The lines of a file, to be taken one by one.

    Args:
        data (bytes): The file.
    """

    def __init__(self, data: bytes) -> None:
        self.lines = data.splitlines()
        self.number = 0

    def fail(self, expected: str) -> NoReturn:
        if self.number > len(self.lines):
            got = 'the file ends'
        else:
            line = self.lines[self.number - 1].decode('ascii', 'replace')
            got = f'got {line[:40]!r}'
        raise ValueError(f'line {self.number}: expected {expected}, {got}')

    def take(self, num_fields: int, expected: str) -> list[bytes]:
        self.number += 1
        if self.number > len(self.lines):
            self.fail(expected)
        fields = self.lines[self.number - 1].split()
        if len(fields) != num_fields:
            self.fail(expected)
        return fields

    def take_count(self, expected: str) -> int:
        field, = self.take(1, expected)
        if not field.isdigit():
            self.fail(expected)
        return int(field)

    def take_joint(self) -> list[float]:
        expected = 'the 12 numbers of a joint'
        fields = self.take(12, expected)
        try:
            xyz = [float(field) for field in fields[:3]]
        except ValueError:
            self.fail(expected)
        if not all(abs(x) <= LARGEST for x in xyz):
            self.fail('finite coordinates')
        return xyz

    def take_end(self) -> None:
        while self.number < len(self.lines):
            self.number += 1
            if self.lines[self.number - 1].strip():
                self.fail('the end of the file')


def parse_skeleton(data: bytes) -> np.ndarray:
    """Read the coordinates of a .skeleton file.

    Bodies are told apart by their place in the frame, as in the paper's
    code, not by their id.

    Args:
        data (bytes): The file.

    Returns:
        np.ndarray: Metres in camera coordinates, float64, shape (4, T, V,
        3). Who is not there is at 0.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    lines = Lines(data)
    num_frames = lines.take_count('the number of frames')
    seen = []
    for frame in range(num_frames):
        for body in range(lines.take_count('the number of bodies')):
            lines.take(10, 'the 10 numbers of a body')
            if lines.take_count(f'{NUM_JOINTS} joints') != NUM_JOINTS:
                lines.fail(f'{NUM_JOINTS} joints')
            joints = [lines.take_joint() for _ in range(NUM_JOINTS)]
            if body < MAX_SEEN:
                seen.append((body, frame, joints))
    lines.take_end()
    # Not before: a broken number of frames might be a huge one. And a frame
    # without a body is a line of one digit.
    from umurl_mmaction.fileio.limits import allowance
    shape = (MAX_SEEN, num_frames, NUM_JOINTS, 3)
    if 8 * math.prod(shape) > allowance(len(data)):
        raise ValueError(f'{num_frames} frames are too many for a file of '
                         f'{len(data)} bytes')
    keypoint = np.zeros(shape)
    for body, frame, joints in seen:
        keypoint[body, frame] = joints
    return keypoint


def motion_energy(body: np.ndarray) -> float:
    """Sum the standard deviations of x, y and z over a body's frames.

    Args:
        body (np.ndarray): Shape (T, V, 3); frames of zeros do not count.

    Returns:
        float: The energy; 0 if the body is never there.
    """
    present = body[body.any(axis=(1, 2))]
    return float(present.std(axis=(0, 1)).sum()) if len(present) else 0.


def select_bodies(keypoint: np.ndarray) -> np.ndarray:
    """Keep the two bodies that move most, the first of them first.

    Args:
        keypoint (np.ndarray): Shape (M, T, V, 3).

    Returns:
        np.ndarray: Float32, shape (M', T, V, 3), with M' from 0 to 2:
        bodies that are never there are left out.
    """
    keypoint = keypoint[keypoint.any(axis=(1, 2, 3))]
    energy = [motion_energy(body) for body in keypoint]
    order = np.argsort(energy, kind='stable')[::-1][:MAX_KEPT]
    return keypoint[order].astype(np.float32)


@cache
def open_zip(path: str) -> zipfile.ZipFile:
    # Listing the tens of thousands of members takes time.
    return zipfile.ZipFile(path)


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member of a zip.

    Raises:
        ValueError: If it is a zip bomb.
    """
    from umurl_mmaction.fileio.limits import allowance
    member = archive.getinfo(name)
    if member.file_size > allowance(member.compress_size):
        raise ValueError(
            f'{member.compress_size} bytes of the zip say that they become '
            f'{member.file_size}')
    return archive.read(member)


def read_clip(recording: Recording) -> tuple[np.ndarray, str]:
    """Read a file and keep its two most moving bodies.

    Args:
        recording (Recording): Where it is.

    Returns:
        tuple[np.ndarray, str]: What :func:`select_bodies` returns, and
        nothing to say about it.

    Raises:
        ValueError: If it cannot be read.
    """
    try:
        if recording.member:
            data = read_member(open_zip(recording.path), recording.member)
        else:
            data = Path(recording.path).read_bytes()
        return select_bodies(parse_skeleton(data)), ''
    except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile,
            zlib.error) as error:
        raise ValueError(f'{recording}: {error}') from error


# The set ------------------------------------------------------------------
def convert(recordings: Sequence[Recording],
            dataset: str,
            missing: Iterable[str] = (),
            num_workers: int = 1,
            skip_errors: bool = False) -> 'ClipCollector':
    """Convert files to annotations.

    Args:
        recordings (Sequence[Recording]): What :func:`find_files` returns.
        dataset (str): Release, ``'60'`` or ``'120'``.
        missing (Iterable[str]): Names to leave out. Defaults to ().
        num_workers (int): Processes to read with. Defaults to 1.
        skip_errors (bool): Whether to leave out files that cannot be read
            rather than to raise. Defaults to False.

    Returns:
        ClipCollector: The clips, and which files were left out.

    Raises:
        ValueError: If a file cannot be read, or none is left.
    """
    # Imported late: --help needs numpy only.
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.converters.recordings import Source, collect
    missing = set(missing)
    release = RELEASES[dataset]
    clips = ClipCollector(
        (f'{protocol}_{part}' for protocol in release.training
         for part in ('train', 'val')), skip_errors, skeleton='nturgb+d')
    sources = []
    for recording in recordings:
        try:
            name = parse_name(recording.name)
        except ValueError as error:
            clips.fail(recording.name, ValueError(
                str(error) if skip_errors else f'{recording}: {error}'))
            continue
        if any(not 1 <= x <= high for x, high in zip(name, release.highest)):
            clips.leave_out(recording.name, f'not of NTU RGB+D {dataset}')
        elif recording.name in missing:
            clips.leave_out(recording.name, 'listed as missing')
        else:
            splits = [f'{protocol}_{"train" if training(name) else "val"}'
                      for protocol, training in release.training.items()]
            sources.append(
                Source(recording.name, recording, name.action - 1, splits))
    try:
        collect(clips, sources, read_clip, num_workers)
    finally:
        open_zip.cache_clear()
    clips.check_any(f'{len(recordings)} .skeleton files')
    return clips


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'src', type=Path, nargs='+', metavar='SRC',
        help='folder with .skeleton files, or a zip as downloaded')
    parser.add_argument(
        '--dataset', choices=list(RELEASES), required=True,
        help='splits xsub and xview (60), or xsub and xset (120); files of '
        'other setups are skipped')
    parser.add_argument(
        '--missing', type=Path, default=MISSING, metavar='FILE',
        help='names of clips to leave out, one a line (the published list, '
        f'{MISSING.name} beside this script)')
    add_shared(parser, 'a file')
    args = parser.parse_args(argv)
    run_converter(
        parser, args, lambda: convert(
            find_files(args.src), args.dataset, read_missing(args.missing),
            args.workers, args.on_error == 'skip'))


if __name__ == '__main__':
    main()
