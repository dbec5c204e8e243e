"""Convert PKU-MMD I or II skeletons to an MMAction2 pickle.

Reads the folders skeleton, label and split of one of the two parts and cuts
a clip at each labelled action.
"""
import re
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Optional, Union

import numpy as np
from converter_arguments import add_shared, make_parser, run_converter

if TYPE_CHECKING:
    from umurl_mmaction.converters.clip_collector import ClipCollector

EPILOG = '''example:
  python tools/data/pkummd.py data/pkummd_v2 \\
      --out data/skeleton/pkummd2_3d.pkl
'''

NUM_BODIES, NUM_JOINTS = 2, 25
NUM_VALUES = NUM_BODIES * NUM_JOINTS * 3
# Part II has 41 of them and keeps their numbers.
NUM_CLASSES = 51
# Part I spells its files cross-subject.txt, part II cross_subject_v2.txt.
SPLIT_FILES = dict(xsub='cross?subject*.txt', xview='cross?view*.txt')


# The splits ---------------------------------------------------------------
def read_split(path: Path) -> tuple[list[str], list[str]]:
    """Read the list of one protocol.

    Args:
        path (Path): A text file: a heading that says training, a line of
            names with commas between them, and the same for validation.

    Returns:
        tuple[list[str], list[str]]: Sequences to train on and to validate
        with.

    Raises:
        ValueError: If the file is malformed. Names the line.
    """
    text = path.read_bytes().decode('utf-8', 'replace')
    lines = [(number, line.strip())
             for number, line in enumerate(text.splitlines(), 1)
             if line.strip()]
    parts = []
    for i, word in enumerate(('train', 'valid')):
        if len(lines) < 2 * i + 2:
            raise ValueError(f'{path}: expected a heading and a line of '
                             'names, twice, the file ends')
        number, line = lines[2 * i]
        if word not in line.lower():
            raise ValueError(f'{path}: line {number}: expected a heading with '
                             f'"{word}", got {line[:40]!r}')
        number, line = lines[2 * i + 1]
        # As published, the names end with a comma too.
        names = [name.strip() for name in line.rstrip(',').split(',')]
        for name in names:
            if not re.fullmatch(r'\w+-[LMR]', name):
                raise ValueError(f'{path}: line {number}: expected names of '
                                 f'sequences, got {name[:40]!r}')
        parts.append(names)
    if len(lines) > 4:
        number, line = lines[4]
        raise ValueError(f'{path}: line {number}: expected the end of the '
                         f'file, got {line[:40]!r}')
    (name, times), = Counter(parts[0] + parts[1]).most_common(1)
    if times > 1:
        raise ValueError(f'{path}: {name} is there {times} times')
    return parts[0], parts[1]


def find_splits(folder: Path) -> dict[str, list[str]]:
    """Find out which splits each sequence belongs to.

    Args:
        folder (Path): Has the lists of both protocols.

    Returns:
        dict[str, list[str]]: Names of splits, by name of the sequence, in
        the order of the latter.
    """
    splits: dict[str, list[str]] = {}
    for protocol, pattern in SPLIT_FILES.items():
        files = sorted(folder.glob(pattern))
        if len(files) != 1:
            raise ValueError(
                f'{folder}: expected one file {pattern}, got '
                f'{", ".join(file.name for file in files) or "none"}')
        for part, names in zip(('train', 'val'), read_split(files[0])):
            for name in names:
                splits.setdefault(name, []).append(f'{protocol}_{part}')
    return {name: splits[name] for name in sorted(splits)}


# The labels ---------------------------------------------------------------
class Instance(NamedTuple):
    """A labelled action; frames count from 1, and ``end`` belongs to it."""
    label: int
    start: int
    end: int


def parse_label(line: str) -> Instance:
    """Read ``action_id,start,end,confidence``.

    Raises:
        ValueError: If it is malformed.
    """
    if not re.fullmatch(r'\s*[0-9]+\s*(,\s*[0-9]+\s*){3}', line):
        raise ValueError('expected action_id,start,end,confidence, got '
                         f'{line[:40]!r}')
    action, start, end, _ = map(int, line.split(','))
    if not 1 <= action <= NUM_CLASSES:
        raise ValueError(f'expected an action from 1 to {NUM_CLASSES}, got '
                         f'{action}')
    if not 1 <= start <= end:
        raise ValueError('expected 1 <= start <= end, got start '
                         f'{start} and end {end}')
    return Instance(action - 1, start, end)


def read_labels(path: Path) -> list[Union[Instance, ValueError]]:
    """Read the labels of a sequence.

    Args:
        path (Path): A text file with an action a line.

    Returns:
        list: In the order of the lines; an error, which names the line,
        stands for one that is malformed.

    Raises:
        ValueError: If the file is not there.
    """
    try:
        text = path.read_bytes().decode('utf-8', 'replace')
    except OSError as error:
        raise ValueError(f'{path}: {error.strerror}') from error
    labels: list[Union[Instance, ValueError]] = []
    for number, line in enumerate(text.rstrip().splitlines(), 1):
        try:
            labels.append(parse_label(line))
        except ValueError as error:
            labels.append(ValueError(f'{path}: line {number}: {error}'))
    return labels


# The skeletons ------------------------------------------------------------
def read_skeleton(path: Path) -> np.ndarray:
    """Read the skeletons of a sequence.

    Args:
        path (Path): A text file with a frame a line: 150 numbers, for two
            bodies x, y and z of 25 joints each.

    Returns:
        np.ndarray: Metres in camera coordinates, float32, shape (M, T, V,
        C) = (2, T, 25, 3). Who is not there is at 0.

    Raises:
        ValueError: If the file is not there or malformed. Names the line.
    """
    # Imported late: --help needs numpy only.
    from umurl_mmaction.converters.recordings import read_numbers
    frames = read_numbers(path, NUM_VALUES).astype(np.float32)
    return frames.reshape(-1, NUM_BODIES, NUM_JOINTS, 3).swapaxes(0, 1)


class Recording(NamedTuple):
    """A sequence and the frames to cut from it: from, up to, from 0."""
    name: str
    path: Path
    spans: list[tuple[int, int]]


def cut(recording: Recording) -> tuple[int, list[np.ndarray]]:
    """Cut the clips of a sequence.

    Returns:
        tuple[int, list[np.ndarray]]: The number of frames of the sequence,
        and the clips, (2, T, 25, 3) each, with the frames that there are.
    """
    keypoint = read_skeleton(recording.path)
    # Copied: the sequence is not to be kept, nor its strides to be pickled.
    return keypoint.shape[1], [
        keypoint[:, start:stop].copy(order='C')
        for start, stop in recording.spans
    ]


# The set ------------------------------------------------------------------
def convert(folder: Path,
            num_workers: int = 1,
            skip_errors: bool = False) -> 'ClipCollector':
    """Convert a part of the set to annotations.

    Args:
        folder (Path): Has the folders ``skeleton``, ``label`` and ``split``.
        num_workers (int): Processes to read with. Defaults to 1.
        skip_errors (bool): Whether to leave out what cannot be read, a
            sequence or a line of labels, rather than to raise. Defaults to
            False.

    Returns:
        ClipCollector: The clips, and what was left out.

    Raises:
        ValueError: If something cannot be read, or no clip is left.
    """
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.converters.parallel import track_parallel
    for name in ('skeleton', 'label', 'split'):
        if not (folder / name).is_dir():
            raise ValueError(f'{folder / name} is not there')
    clips = ClipCollector(
        (f'{protocol}_{part}' for protocol in SPLIT_FILES
         for part in ('train', 'val')), skip_errors, skeleton='nturgb+d')
    splits = find_splits(folder / 'split')
    recordings, labels = [], []
    for name in splits:
        path = folder / 'skeleton' / f'{name}.txt'
        try:
            if not path.is_file():
                raise ValueError(f'{path} is not there')
            found = read_labels(folder / 'label' / f'{name}.txt')
        except ValueError as error:
            clips.fail(name, error)
            continue
        if not found:
            clips.leave_out(name, 'no labelled action')
        instances = {}
        for number, label in enumerate(found):
            if isinstance(label, ValueError):
                clips.fail(f'{name}_{number:03d}', label)
            else:
                instances[number] = label
        recordings.append(
            Recording(name, path, [(start - 1, end)
                                   for _, start, end in instances.values()]))
        labels.append(instances)
    for name in sorted({
            path.stem
            for kind in ('skeleton', 'label')
            for path in (folder / kind).glob('[!.]*.txt')
    } - set(splits)):
        clips.leave_out(name, 'in no split')

    with closing(track_parallel(cut, recordings, num_workers)) as results:
        for recording, instances, result in zip(recordings, labels, results):
            if isinstance(result, ValueError):
                clips.fail(recording.name, result)
                continue
            num_frames, keypoints = result
            for (number, label), keypoint in zip(instances.items(), keypoints):
                name = f'{recording.name}_{number:03d}'
                if label.start > num_frames:
                    clips.fail(name, ValueError(
                        f'{folder / "label" / recording.name}.txt: line '
                        f'{number + 1}: expected a start within the '
                        f'{num_frames} frames, got {label.start}'))
                    continue
                clips.add(
                    name, keypoint, label.label, splits[recording.name],
                    'labelled beyond the last frame, ends there'
                    if label.end > num_frames else '')
    clips.check_any(f'{len(splits)} sequences')
    return clips


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    parser.add_argument(
        'src', type=Path, metavar='SRC',
        help='folder of part I or II with skeleton/, label/ and split/')
    add_shared(parser, 'a sequence or a line of labels')
    args = parser.parse_args(argv)
    run_converter(
        parser, args, lambda: convert(args.src, args.workers, args.on_error ==
                                      'skip'))


if __name__ == '__main__':
    main()
