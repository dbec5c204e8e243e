"""Layouts and pure functions on skeleton arrays."""
from .augment import shear, transform_joints, zero_joints
from .layout import LAYOUTS, Layout, build_layout
from .modalities import MODALITIES, generate_modalities
from .normalize import align_bodies, repair_missing_frames
from .temporal import crop_resize

__all__ = [
    'LAYOUTS', 'Layout', 'MODALITIES', 'align_bodies', 'build_layout',
    'crop_resize', 'generate_modalities', 'repair_missing_frames', 'shear',
    'transform_joints', 'zero_joints'
]
