"""The names of classes in a file."""
from pathlib import Path

from .annotations import load_annotations


def read_class_names(path: Path) -> list[str]:
    """Read the names of classes, by label.

    Args:
        path (Path): Annotations that have them, ``.pkl`` or ``.npz``, or a
            text with one name in each line.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If there are none, or a line between them is empty.
    """
    if path.suffix in ('.pkl', '.npz'):
        names = load_annotations(path, with_arrays=False).get('classes', [])
    else:
        lines = path.read_text(encoding='utf-8').rstrip().splitlines()
        names = [line.strip() for line in lines]
        if '' in names:
            raise ValueError(f'{path}: line {names.index("") + 1} is empty; '
                             'expected the name of a class in each line')
    if not names:
        raise ValueError(f'{path}: expected names of classes, got none')
    return list(names)
