"""Convert the arrays of AGCN-style code to an MMAction2 pickle, and back.

A split is three files: PREFIX_data_joint.npy, clips padded to the same length
(N, C, T, V, M); PREFIX_num_frame.npy, their real lengths (N, ); and
PREFIX_label.pkl, a pair of their names and their classes.
"""
import functools
import pickle
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import numpy as np
from converter_arguments import (
    add_shared,
    at_least,
    make_parser,
    run_converter,
)

if TYPE_CHECKING:
    from umurl_mmaction.converters.clip_collector import ClipCollector

EPILOG = '''example:
  python tools/data/agcn_arrays.py to-pickle --train ntu60/xsub/train \\
      --val ntu60/xsub/val --split-name xsub --out data/skeleton/ntu60_3d.pkl
  python tools/data/agcn_arrays.py from-pickle data/skeleton/ntu60_3d.pkl \\
      --split xsub_train --out-prefix ntu60/xsub/train
'''
SUFFIXES = ('_data_joint.npy', '_num_frame.npy', '_label.pkl')


# Arrays to pickle ---------------------------------------------------------
class Arrays(NamedTuple):
    """A split; ``joints`` stays on disk."""
    joints: np.ndarray
    num_frames: np.ndarray
    names: list[str]
    labels: list[int]


def open_array(path: Path, what: str, num_axes: int, kinds: str) -> np.ndarray:
    """Map an array into memory.

    Args:
        path (Path): A .npy file.
        what (str): What is expected, for the message.
        num_axes (int): Number of its axes.
        kinds (str): NumPy's letters of the dtypes that will do.

    Raises:
        ValueError: If it cannot be read or is not what is expected.
    """
    # Imported late: --help needs numpy only.
    from umurl_mmaction.fileio.npz import HEADER_ERRORS
    try:
        array = np.lib.format.open_memmap(path, 'r')
    except OSError as error:
        raise ValueError(f'{path}: {error.strerror or error}') from error
    except (*HEADER_ERRORS, ValueError) as error:
        raise ValueError(f'{path}: {error}') from error
    if array.ndim != num_axes or array.dtype.kind not in kinds:
        raise ValueError(f'{path}: expected {what}, got {array.dtype} '
                         f'{array.shape}')
    return array


def open_arrays(prefix: str) -> Arrays:
    """Open a split.

    Args:
        prefix (str): What the names of its three files start with.

    Raises:
        OSError: If the labels are not there.
        ValueError: If a file is not what it should be, or two of them do not
            go together.
    """
    # Imported late: --help needs numpy only.
    from umurl_mmaction.fileio.annotations import load_plain
    data, lengths, labels = (Path(prefix + suffix) for suffix in SUFFIXES)
    joints = open_array(data, 'floats (N, C, T, V, M)', 5, 'f')
    num_frames = open_array(lengths, 'integers (N, )', 1, 'iu')
    pair = load_plain(labels)
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f'{labels}: expected a pair of names and classes')
    names, classes = (
        x.tolist() if isinstance(x, np.ndarray) else x for x in pair)
    if not isinstance(names, (tuple, list)) or not all(
            isinstance(name, str) for name in names):
        raise ValueError(f'{labels}: expected a list of names as strings')
    if not isinstance(classes, (tuple, list)):
        raise ValueError(f'{labels}: expected a list of classes')
    for i, label in enumerate(classes):
        if isinstance(label, bool) or not isinstance(
                label, (int, np.integer)) or label < 0:
            raise ValueError(f'{labels}: entry {i}: expected a class, an '
                             f'integer from 0, got {label!r:.40}')
    counts = dict(zip((data, lengths), map(len, (joints, num_frames))))
    for path, count in counts.items():
        if not count == len(names) == len(classes):
            raise ValueError(f'{path} has {count} clips, but {labels} has '
                             f'{len(names)} names and {len(classes)} classes')
    return Arrays(joints, num_frames, list(names), list(map(int, classes)))


@functools.lru_cache
def cached_arrays(prefix: str) -> Arrays:
    """The arrays of a split, opened once in a process."""
    return open_arrays(prefix)


def read_clip(prefix: str, index: int) -> tuple[np.ndarray, str]:
    """Read a clip without its padding.

    Args:
        prefix (str): What the files of the split start with.
        index (int): The clip.

    Returns:
        tuple[np.ndarray, str]: Float32, shape (M, T, V, C), and nothing to
        say about it.

    Raises:
        ValueError: If the clip is malformed.
    """
    arrays = cached_arrays(prefix)
    where = f'entry {index} ({arrays.names[index]})'
    padded = arrays.joints[index]
    num_frames = int(arrays.num_frames[index])
    if not 1 <= num_frames <= padded.shape[1]:
        raise ValueError(
            f'{prefix}{SUFFIXES[1]}: {where}: expected 1 to '
            f'{padded.shape[1]} frames, got {num_frames}')
    with np.errstate(over='ignore'):
        clip = np.asarray(padded[:, :num_frames], np.float32)
    if not np.isfinite(clip).all():
        raise ValueError(
            f'{prefix}{SUFFIXES[0]}: {where}: expected finite coordinates')
    return np.ascontiguousarray(clip.transpose(3, 1, 2, 0)), ''


def to_pickle(prefixes: dict[str, str],
              num_workers: int = 1) -> 'ClipCollector':
    """Convert splits to annotations.

    Args:
        prefixes (dict[str, str]): What the files of a split start with, by
            the name of the split.
        num_workers (int): Processes to read with. Defaults to 1.

    Returns:
        ClipCollector: The clips.

    Raises:
        ValueError: If something is malformed, or a clip is there twice.
    """
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.converters.recordings import Source, collect
    splits = {
        split: cached_arrays(prefix)
        for split, prefix in prefixes.items()
    }
    names = [name for arrays in splits.values() for name in arrays.names]
    for name, times in Counter(names).most_common(1):
        if times > 1:
            raise ValueError(f'{name} is there {times} times, but a clip has '
                             'one name and one split')
    clips = ClipCollector(splits)
    for split, arrays in splits.items():
        print(split)
        read = functools.partial(read_clip, prefixes[split])
        sources = [
            Source(name, i, label, [split])
            for i, (name, label) in enumerate(zip(arrays.names, arrays.labels))
        ]
        collect(clips, sources, read, num_workers)
    clips.check_any(f'{len(names)} clips')
    return clips


# Pickle to arrays ---------------------------------------------------------
def select(path: Path,
           split: str,
           max_frames: int = 300,
           num_person: int = 2) -> 'ClipCollector':
    """Read the clips of a split, as they are written to arrays.

    Args:
        path (Path): MMAction2's pickle, or an .npz.
        split (str): The split.
        max_frames (int): The first frames to keep. Defaults to 300.
        num_person (int): The first bodies to keep. Defaults to 2.

    Returns:
        ClipCollector: The clips; their sizes V and C agree.

    Raises:
        ValueError: If there is no such split, or a clip will not do.
    """
    from umurl_mmaction.converters.clip_collector import ClipCollector
    from umurl_mmaction.datasets.check_clip import check_clip
    from umurl_mmaction.fileio.annotations import load_annotations
    data = load_annotations(path)
    if split not in data['split']:
        raise ValueError(f'{path}: no split {split!r}, only '
                         f'{", ".join(sorted(data["split"])) or "none"}')
    names = set(data['split'][split])
    clips = ClipCollector([split])
    shape: Optional[tuple[int, ...]] = None
    annotations = [x for x in data['annotations'] if x['frame_dir'] in names]
    for name in sorted(names - {x['frame_dir'] for x in annotations}):
        clips.leave_out(name, f'of split {split}, but no clip')
    for annotation in annotations:
        check_clip(annotation, str(path))
        name, keypoint = annotation['frame_dir'], annotation['keypoint']
        if annotation.get('label') is None:
            raise ValueError(f'{path}: {name}: no label, which the arrays '
                             'need')
        shape = shape or keypoint.shape
        if keypoint.shape[2:] != shape[2:]:
            raise ValueError(
                f'{path}: {name}: expected (M, T, V, C), V and C as in the '
                f'first clip, {shape}, got {keypoint.shape}')
        changed = [
            f'only the first {most} {what} are kept'
            for most, what, size in ((num_person, 'bodies', keypoint.shape[0]),
                                     (max_frames, 'frames', keypoint.shape[1]))
            if size > most
        ]
        with np.errstate(over='ignore'):
            keypoint = keypoint[:num_person, :max_frames].astype(np.float32)
        clips.add(
            name, keypoint,
            int(annotation['label']), [split], ', '.join(changed))
    clips.check_any(f'split {split!r} of {path}')
    return clips


def write_arrays(annotations: Sequence[dict[str, Any]],
                 prefix: str,
                 max_frames: int = 300,
                 num_person: int = 2) -> None:
    """Write a split; each of its files is there as a whole or as it was.

    Args:
        annotations (Sequence[dict]): What to write.
        prefix (str): What the names of the three files start with. Their
            folder is made if need be.
        max_frames (int): Frames to pad to with zeros. Defaults to 300.
        num_person (int): Bodies to pad to with zeros. Defaults to 2.
    """
    from umurl_mmaction.converters.parallel import track_parallel
    from umurl_mmaction.fileio.atomic import replacing
    V, C = annotations[0]['keypoint'].shape[2:]
    header = dict(
        descr=np.lib.format.dtype_to_descr(np.dtype(np.float32)),
        fortran_order=False,
        shape=(len(annotations), C, max_frames, V, num_person))

    def pad(annotation: dict[str, Any]) -> np.ndarray:
        keypoint = annotation['keypoint']
        M, T = keypoint.shape[:2]
        padded = np.zeros((C, max_frames, V, num_person), np.float32)
        padded[:, :T, :, :M] = keypoint.transpose(3, 1, 2, 0)
        return padded

    with ExitStack() as stack:
        parts = [
            stack.enter_context(replacing(prefix + suffix))
            for suffix in SUFFIXES
        ]
        # Not mapped into memory: that crashes where the disk is full.
        with open(parts[0], 'wb') as f:
            np.lib.format.write_array_header_1_0(f, header)
            for clip in track_parallel(pad, annotations):
                f.write(np.asarray(clip).data)
        with open(parts[1], 'wb') as f:
            np.save(f, np.array([x['total_frames'] for x in annotations]))
        with open(parts[2], 'wb') as f:
            pickle.dump(([x['frame_dir'] for x in annotations],
                         [x['label'] for x in annotations]), f, protocol=4)


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    commands = parser.add_subparsers(dest='command', required=True)
    command = commands.add_parser(
        'to-pickle', allow_abbrev=False, help='arrays to annotations')
    for part in ('train', 'val'):
        command.add_argument(
            f'--{part}', metavar='PREFIX',
            help=f'what the names of the {part} files start with, such as '
            f'ntu60/xsub/{part}')
    command.add_argument(
        '--split-name', metavar='NAME',
        help='call the splits NAME_train and NAME_val (train and val)')
    add_shared(command)
    command = commands.add_parser(
        'from-pickle', allow_abbrev=False, help='annotations to arrays')
    command.add_argument(
        'src', type=Path, metavar='SRC',
        help='annotations, .pkl or .npz')
    command.add_argument(
        '--split', required=True, help='split to write, such as xsub_train')
    command.add_argument(
        '--out-prefix', required=True, metavar='PREFIX',
        help='what the names of the three files are to start with')
    command.add_argument(
        '--max-frames', type=at_least(1), default=300, metavar='T',
        help='frames to pad to; more are cut off (300)')
    command.add_argument(
        '--num-person', type=at_least(1), default=2, metavar='M',
        help='bodies to pad to; more are left out (2)')
    args = parser.parse_args(argv)

    from umurl_mmaction.command_line import one_line_errors
    from umurl_mmaction.converters.clip_collector import summarize
    if args.command == 'to-pickle':
        stem = f'{args.split_name}_' if args.split_name else ''
        prefixes = {
            f'{stem}{part}': getattr(args, part)
            for part in ('train', 'val') if getattr(args, part)
        }
        if not prefixes:
            parser.error('--train or --val is needed')
        run_converter(parser, args, lambda: to_pickle(prefixes, args.workers))
        return
    sizes = args.max_frames, args.num_person
    with one_line_errors(f'{args.out_prefix}_*'):
        clips = select(args.src, args.split, *sizes)
        write_arrays(clips.annotations, args.out_prefix, *sizes)
    print(f'{summarize(clips.data, clips.skipped, clips.changed)}\n'
          f'written to {args.out_prefix}_*')


if __name__ == '__main__':
    main()
