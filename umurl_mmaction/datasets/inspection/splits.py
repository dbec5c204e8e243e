"""What the splits of an annotation file are like."""
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from .copies import find_copies
from .findings import Finding, copies_line


def split_pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pair training splits with those that test what is learned there.

    ``'xsub_train'`` goes with each split that starts with ``'xsub_val'`` or
    ``'xsub_test'``. If no name has ``'train'`` in it, each goes with each.

    Args:
        names (Iterable[str]): Names of splits.

    Returns:
        list[tuple[str, str]]: Pairs (training, test).
    """
    names = list(names)
    training = [name for name in names if 'train' in name]
    if not training:
        return list(combinations(names, 2))
    return [(train, name) for train in training for name in names
            if name != train and name.startswith(
                (train.replace('train', 'val'),
                 train.replace('train', 'test')))]


def clips_of_splits(data: Mapping) -> dict[str, list[dict]]:
    """Return the annotations of each split of ``load_annotations``."""
    clips = {clip['frame_dir']: clip for clip in data['annotations']}
    return {
        name: [clips[x] for x in members if x in clips]
        for name, members in data['split'].items()
    }


def class_counts(clips: Sequence[Mapping]) -> str:
    """Say how many classes there are, and clips of each.

    Args:
        clips (Sequence[Mapping]): Annotations.

    Returns:
        str: Such as ``'10 classes of 93 to 106 clips'``.
    """
    counts = Counter(clip.get('label') for clip in clips)
    unknown = counts.pop(None, 0)
    text = 'no labels'
    if counts:
        text = (f'{len(counts)} classes of {min(counts.values())} to '
                f'{max(counts.values())} clips')
        if unknown:
            text += f', {unknown} without a label'
    return text


def find_in_pair(splits: Mapping[str, Sequence[dict]],
                 train: str,
                 test: str,
                 center: int = 0) -> list[Finding]:
    """Find what makes a test of one split on another worth little.

    Args:
        splits (Mapping): The annotations of each split.
        train (str): Name of the training split.
        test (str): Name of the split to test on.
        center (int): The centre joint. Defaults to 0.

    Returns:
        list[Finding]: Copies of training clips, and classes that no training
        clip has.
    """
    found = []
    copies = find_copies([x['keypoint'] for x in splits[test]],
                         [x['keypoint'] for x in splits[train]], center)
    line = copies_line(copies, test, train)
    if line:
        found.append(Finding(line))
    known, asked = ({clip['label'] for clip in splits[name]
                     if clip.get('label') is not None}
                    for name in (train, test))
    if known and asked - known:
        found.append(Finding(
            f'classes: {sorted(asked - known)} of {test!r} have no clip '
            f'in {train!r}'))
    return found


def find_in_splits(splits: Mapping[str, Sequence[dict]],
                   center: int = 0) -> list[Finding]:
    """Find the same in all splits that go together.

    Args:
        splits (Mapping): The annotations of each split.
        center (int): The centre joint. Defaults to 0.

    Returns:
        list[Finding]: Those of :func:`find_in_pair`.
    """
    return [
        finding for pair in split_pairs(splits)
        for finding in find_in_pair(splits, *pair, center)
    ]
