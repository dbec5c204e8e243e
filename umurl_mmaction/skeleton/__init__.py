"""Layouts and pure functions on skeleton arrays."""
from .batch import PackedClips, pack_clips
from .layout import LAYOUTS, Layout, build_layout

__all__ = ['LAYOUTS', 'Layout', 'PackedClips', 'build_layout', 'pack_clips']
