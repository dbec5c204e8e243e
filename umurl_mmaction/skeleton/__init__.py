"""Layouts and pure functions on skeleton arrays."""
from .augment import shear, transform_joints, zero_joints
from .batched import normalize_batch
from .layout import LAYOUTS, Layout, build_layout
from .modalities import MODALITIES, generate_modalities
from .normalize import align_bodies, repair_missing_frames
from .temporal import crop_resize, resize

__all__ = [
    'LAYOUTS', 'Layout', 'MODALITIES', 'align_bodies', 'build_layout',
    'crop_resize', 'generate_modalities', 'normalize_batch',
    'repair_missing_frames', 'resize', 'shear', 'transform_joints',
    'zero_joints'
]
