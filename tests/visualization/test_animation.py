"""Stick figures that move, in files and in a browser."""
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.animation import FFMpegWriter
from matplotlib.colors import to_rgb
from PIL import Image

from umurl_mmaction.skeleton.layout import build_layout
from umurl_mmaction.visualization import Strip, StripFigure, save_strips
from umurl_mmaction.visualization.gallery import WRONG_COLOR
from umurl_mmaction.visualization.stick_figure import projection

LAYOUT = build_layout('nturgb+d')
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')


@pytest.fixture
def clip():
    """Two bodies in space; the second one is gone after three frames."""
    rng = np.random.default_rng(0)
    clip = rng.normal(size=(2, 7, 25, 3)) + (5, 0, 3)
    clip[1, 3:] = np.nan
    clip[0, :, 24] = np.nan
    return clip


@pytest.fixture
def strips(clip):
    return StripFigure(
        [Strip(clip, 'all </script><b>'),
         Strip(clip[:1, :4], 'one', WRONG_COLOR)],
        LAYOUT, 4, rows=1, title='<i>a & b')


def page_data(path):
    text = re.search('type="application/json">(.*?)</script>',
                     path.read_text(encoding='utf-8'))[1]
    return json.loads(text)


def test_a_gif_has_a_frame_for_each(strips, tmp_path):
    save_strips(strips, tmp_path / 'a.gif')
    image = Image.open(tmp_path / 'a.gif')
    assert image.n_frames == 4
    frames = []
    for i in range(4):
        image.seek(i)
        frames.append(np.asarray(image.convert('RGB')).tobytes())
    assert len(set(frames)) == 4
    assert [path.name for path in tmp_path.iterdir()] == ['a.gif']


@pytest.mark.skipif(
    not FFMpegWriter.isAvailable(), reason='ffmpeg is not installed')
def test_a_film_is_one(strips, tmp_path):
    save_strips(strips, tmp_path / 'a.mp4')
    assert (tmp_path / 'a.mp4').read_bytes()[4:8] == b'ftyp'


def test_formats_that_cannot_be_written(strips, tmp_path, monkeypatch):
    monkeypatch.setattr(FFMpegWriter, 'isAvailable', lambda: False)
    with pytest.raises(ValueError, match='mp4 needs ffmpeg, which is not'):
        save_strips(strips, tmp_path / 'a.mp4')
    with pytest.raises(ValueError, match="format 'avi' must be one of png"):
        save_strips(strips, tmp_path / 'a.avi')
    assert not list(tmp_path.iterdir())


def test_a_page_needs_nothing_else_and_holds_the_clips(strips, clip,
                                                       tmp_path):
    save_strips(strips, tmp_path / 'a.html')
    page = (tmp_path / 'a.html').read_text(encoding='utf-8')
    assert not re.search(r'https?:|src=|href=|@import|url\(', page)
    data = page_data(tmp_path / 'a.html')
    assert data['title'] == '<i>a & b'
    assert [strip['title'] for strip in data['strips']] == [
        'all </script><b>', 'one']
    both, one = data['strips']
    assert both['numbers'] == ['1/7', '3/7', '5/7', '7/7']
    assert (one['color'], one['numbers'][-1]) == (WRONG_COLOR, '4/4')
    for strip, frames in ((both, clip[:, ::2]), (one, clip[:1, :4])):
        poses = frames.transpose(1, 0, 2, 3)
        for pose, expected in zip(strip['poses'], poses):
            for body, of in zip(pose, expected):
                for joint, place in zip(body, of):
                    assert (joint is None) == np.isnan(place).any()
                    if joint is not None:
                        np.testing.assert_allclose(joint, place, rtol=1e-3)
    # The page turns by the same directions as the pictures.
    right, up, near = np.array(data['viewer'])
    assert np.array_equal(
        np.stack([right, up], axis=1), projection(3, azimuth=0, elevation=0))
    np.testing.assert_allclose(data['matrix'], projection(3))


@pytest.fixture
def browser(tmp_path):
    """Open a page without a window; what the browser printed."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip('no Chromium is installed to open the page')

    def open_page(url, *options):
        return subprocess.run([
            program, '--headless', '--no-sandbox', '--disable-gpu',
            '--disable-dev-shm-usage', '--disable-background-networking',
            '--window-size=600,400',
            f'--user-data-dir={tmp_path / "profile"}', *options, url
        ], capture_output=True, text=True, timeout=120, check=True).stdout

    try:
        open_page('about:blank', '--dump-dom')
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f'{program} does not open an empty page: {error}')
    return open_page


def test_a_browser_draws_the_page(strips, tmp_path, browser):
    save_strips(strips, tmp_path / 'a.html')
    url = (tmp_path / 'a.html').as_uri()
    shown = browser(f'{url}#1', '--dump-dom')
    # The second body is there in frame 1, and one joint of the first is not.
    hidden = sum(24 in pair for pair in strips.sticks[0][0].pairs)
    assert f'<body data-bones="{48 - hidden} {24 - hidden}" ' in shown
    assert 'data-frame="1"' in shown
    assert '<figcaption>all &lt;/script&gt;&lt;b&gt;</figcaption>' in shown
    assert '>Play</button>' in shown
    browser(f'{url}#3', f'--screenshot={tmp_path / "a.png"}')
    picture = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB'))
    for color in (*strips.sticks[0][0].colors(0)[1:24], WRONG_COLOR):
        rgb = np.round(255 * np.array(to_rgb(color)))
        assert (picture == rgb).all(axis=-1).any(), color
