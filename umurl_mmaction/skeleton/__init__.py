"""Layouts and pure functions on skeleton arrays."""
from .augment import corruption_map, map_joints, shear_map
from .batch import PackedClips, pack_clips
from .layout import LAYOUTS, Layout, build_layout
from .modalities import MODALITIES, generate_modalities
from .normalize import (
    align_bodies,
    normalize_clips,
    normalize_pixels,
    repair_missing_frames,
)
from .temporal import crop_resize, crop_resize_packed, resize

__all__ = [
    'LAYOUTS', 'Layout', 'MODALITIES', 'PackedClips', 'align_bodies',
    'build_layout', 'corruption_map', 'crop_resize', 'crop_resize_packed',
    'generate_modalities', 'map_joints', 'normalize_clips',
    'normalize_pixels', 'pack_clips', 'repair_missing_frames', 'resize',
    'shear_map'
]
