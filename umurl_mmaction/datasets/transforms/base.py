from inspect import signature
from typing import Any, Optional

from mmcv.transforms import BaseTransform

from ...skeleton.layout import Layout, build_layout


class SkeletonTransform(BaseTransform):
    """A transform that shows its settings, and knows a clip's layout.

    A subclass keeps each argument of its ``__init__`` in an attribute of the
    same name.

    Attributes:
        layout (Layout | None): The layout of the clips. None: that of the
            data, else ``'nturgb+d'``.
    """
    layout: Optional[Layout] = None

    def layout_of(self, results: dict) -> Layout:
        """Return the layout of a clip."""
        return build_layout(
            self.layout or results.get('layout') or 'nturgb+d')

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={self._shown(name)!r}'
                             for name in signature(type(self)).parameters)
        return f'{type(self).__name__}({settings})'

    def _shown(self, name: str) -> Any:
        value = getattr(self, name)
        return value.name if isinstance(value, Layout) else value
