"""Names of the classes."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

from ..fileio.class_names import read_class_names


class ClassNames:
    """Names of classes; a class without a name is called by its number.

    Args:
        names (Sequence[str]): The names by label, from 0 on.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names)

    @classmethod
    def find(cls, file: Optional[Path], dataset: Any = None) -> 'ClassNames':
        """Read the names from a file or, without one, from a dataset.

        Args:
            file (Path, optional): As for ``read_class_names``.
            dataset (BaseDataset, optional): Its ``metainfo`` may have
                ``classes``.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If it does not name the classes.
        """
        if file is not None:
            return cls(read_class_names(file))
        return cls(getattr(dataset, 'metainfo', {}).get('classes', ()))

    def __getitem__(self, label: Optional[int]) -> str:
        if label is None:
            return 'no label'
        if 0 <= label < len(self.names):
            return self.names[label]
        return f'class {label}'

    def label_of(self, wanted: Union[int, str]) -> int:
        """Find the label of a class by its name, or by the label as text.

        Raises:
            ValueError: If there is no such name.
        """
        text = str(wanted)
        if text in self.names:
            return self.names.index(text)
        if text.isdigit():
            return int(text)
        raise ValueError(f'there is no class {text!r}: wanted is a label, or '
                         f'one of the names {self.names}')
