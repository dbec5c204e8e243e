"""Windows of recordings: where they are, and what they give."""
import numpy as np
import pytest
from tiny_models import LINEAR, save_weights, tiny_config

from umurl_mmaction.apis import UmURLInferencer, Window
from umurl_mmaction.apis.windows import WindowDataset, cut_frames, cut_windows


@pytest.fixture(scope='module')
def inferencer(ann_file, tmp_path_factory):
    cfg = tiny_config(ann_file, LINEAR)
    path = tmp_path_factory.mktemp('windows') / 'weights.pth'
    return UmURLInferencer(
        cfg, save_weights(cfg, path), device='cpu', batch_size=3)


@pytest.fixture
def recording():
    rng = np.random.default_rng(1)
    return rng.normal(size=(2, 50, 25, 3)).astype(np.float32)


def test_windows_cover_each_frame_and_end_with_the_recording():
    assert cut_windows(10, 4, 3) == [(0, 4), (3, 7), (6, 10)]
    assert cut_windows(11, 4, 3) == [(0, 4), (3, 7), (6, 10), (7, 11)]
    assert cut_windows(4, 4, 3) == cut_windows(4, 9, 3) == [(0, 4)]
    for num_frames in range(1, 40):
        for stride in (1, 3, 7):
            windows = cut_windows(num_frames, 7, stride)
            assert windows == sorted(set(windows))
            seen = {i for window in windows for i in range(*window)}
            assert seen == set(range(num_frames))


@pytest.mark.parametrize('name', ['window', 'stride'])
def test_no_window_without_frames(inferencer, recording, name):
    settings = dict(window=8, stride=4)
    settings[name] = 0
    with pytest.raises(
            ValueError, match=f'{name} must be at least 1 frame, got 0'):
        next(inferencer.iter_windows(recording, **settings))


def test_no_windows_without_a_recording(inferencer):
    with pytest.raises(ValueError, match='there is no recording'):
        WindowDataset([], inferencer.pipeline, 8, 4)


def test_a_window_gives_what_its_frames_give_as_a_clip(inferencer, recording):
    found = list(inferencer.iter_windows(recording, 20, 8))
    windows = [x['window'] for x in found]
    assert [str(x) for x in windows] == [
        f'recording 0[{start}:{start + 20}]' for start in (0, 8, 16, 24, 30)
    ]
    clips = [recording[:, x.start:x.stop] for x in windows]
    expected = inferencer(clips)
    assert set(expected) == {'features', 'scores', 'labels'}
    for name, array in expected.items():
        assert np.array_equal([x[name] for x in found], array)


def test_windows_come_before_the_recording_is_done(inferencer, recording,
                                                   monkeypatch):
    encoded = []
    encode = inferencer._encode
    monkeypatch.setattr(
        inferencer, '_encode',
        lambda data, *args: encoded.append(1) or encode(data, *args))
    next(inferencer.iter_windows(recording, 4, 1))
    assert encoded == [1]


def test_scores_of_joints_are_cut_too(recording):
    clip = dict(
        frame_dir='a', keypoint=recording, total_frames=50,
        keypoint_score=recording[..., 0])
    cut = cut_frames(clip, Window('a', 5, 9))
    assert np.array_equal(cut['keypoint'], recording[:, 5:9])
    assert np.array_equal(cut['keypoint_score'], recording[:, 5:9, :, 0])
    assert (cut['frame_dir'], cut['total_frames']) == ('a[5:9]', 4)


@pytest.mark.parametrize('frames', [(5, 5), (9, 5), (45, 51)])
def test_frames_that_are_not_there_are_named(recording, frames):
    clip = dict(frame_dir='a', keypoint=recording)
    with pytest.raises(ValueError, match='those of a are 0 to 49'):
        cut_frames(clip, Window('a', *frames))


def test_two_recordings_of_one_name_are_refused(inferencer, recording):
    clip = dict(frame_dir='a', keypoint=recording)
    with pytest.raises(ValueError, match="recording 'a' is there twice"):
        next(inferencer.iter_windows([clip, clip], 4, 4))
