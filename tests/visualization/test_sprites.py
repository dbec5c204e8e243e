"""Sprites show the middle frame of each clip, in its own square."""
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from umurl_mmaction.skeleton.layout import build_layout
from umurl_mmaction.visualization import sprites
from umurl_mmaction.visualization.limbs import joint_colors
from umurl_mmaction.visualization.sprites import draw_sprites

LAYOUT = build_layout('nturgb+d')


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(1 + i % 2, 5, 25, 3)) for i in range(5)]
    clips[3][:] = np.nan
    return clips


def test_each_clip_has_its_own_square(clips):
    images = draw_sprites(clips, LAYOUT)
    assert images.shape == (5, 48, 48, 3) and images.dtype == np.uint8
    for clip, image in zip(clips, images):
        # Nothing at the edges, and a figure of the limbs' colours within.
        assert (image[[0, -1]] == 255).all() and (
            image[:, [0, -1]] == 255).all()
        colors = {tuple(np.round(255 * np.array(to_rgb(color))).astype(int))
                  for color in joint_colors(LAYOUT)[1:]}
        found = colors & set(map(tuple, image.reshape(-1, 3).tolist()))
        assert (not found) == bool(np.isnan(clip).all())


def test_the_middle_frame_alone_counts(clips):
    other = [clip.copy() for clip in clips]
    for clip in other:
        clip[:, [0, 1, 3, 4]] += 1
    assert np.array_equal(
        draw_sprites(clips, LAYOUT), draw_sprites(other, LAYOUT))
    # Frames without anybody do not.
    late = np.concatenate([np.full((1, 4, 25, 3), np.nan), clips[0]], axis=1)
    assert np.array_equal(
        draw_sprites([late], LAYOUT), draw_sprites(clips[:1], LAYOUT))
    # Where a person stands, and how tall, makes no difference.
    moved = [clip * 3 + (5, 1, 0) for clip in clips]
    near = np.abs(draw_sprites(moved, LAYOUT).astype(int) -
                  draw_sprites(clips, LAYOUT))
    assert near.mean() < 1


def test_many_clips_get_smaller_squares(clips, monkeypatch):
    monkeypatch.setattr(sprites, 'LARGEST', 60)
    assert draw_sprites(clips, LAYOUT).shape == (5, 20, 20, 3)
