"""Windows of long recordings."""
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch.utils.data import Dataset

from .clips import Clip, ClipPipeline, make_results


class Window(NamedTuple):
    """Some frames of a recording; its text is ``name[start:stop]``.

    Args:
        recording (str): Name of the recording.
        start (int): Its first frame, from 0.
        stop (int): The frame after its last one.
    """
    recording: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f'{self.recording}[{self.start}:{self.stop}]'


def check_windows(window: int, stride: int) -> None:
    """Raise ``ValueError`` if windows cannot have this length and stride."""
    for name, value in (('window', window), ('stride', stride)):
        if value < 1:
            raise ValueError(f'{name} must be at least 1 frame, got {value}')


def cut_windows(num_frames: int, window: int,
                stride: int) -> list[tuple[int, int]]:
    """Cut a recording into windows.

    Args:
        num_frames (int): Frames of the recording, at least 1.
        window (int): Frames of a window, at least 1. A shorter recording is
            one window.
        stride (int): Frames from one start to the next, at least 1. The last
            window ends with the recording, whatever its start.

    Returns:
        list[tuple[int, int]]: First frame, and the one after the last, of
        each window, in order. Every frame is in one if the stride is at most
        the window.
    """
    last = max(num_frames - window, 0)
    starts = [*range(0, last, stride), last]
    return [(start, min(start + window, num_frames)) for start in starts]


def cut_frames(clip: Mapping[str, Any], window: Window) -> dict[str, Any]:
    """Cut a window out of an annotation.

    Raises:
        ValueError: If the annotation has no such frames.
    """
    num_frames = clip['keypoint'].shape[-3]
    if not 0 <= window.start < window.stop <= num_frames:
        raise ValueError(f'{window} has no frames: those of '
                         f'{window.recording} are 0 to {num_frames - 1}')
    frames = slice(window.start, window.stop)
    cut = dict(
        clip,
        keypoint=clip['keypoint'][..., frames, :, :],
        frame_dir=str(window),
        total_frames=window.stop - window.start)
    if 'keypoint_score' in clip:
        cut['keypoint_score'] = clip['keypoint_score'][..., frames, :]
    return cut


class WindowDataset(Dataset):
    """The windows of recordings, each prepared as a clip of these frames.

    Args:
        recordings (sequence of np.ndarray | Tensor | dict): Arrays (M, T, V,
            C), called ``recording 0`` and so on, or annotations of MMAction2
            with such a ``keypoint``.
        pipeline (ClipPipeline): Prepares a window.
        window (int): Frames of a window.
        stride (int): Frames from one start to the next.
        nonfinite (str): As in ``SkeletonDataset``. Defaults to ``'error'``.

    Attributes:
        windows (list[Window]): All windows, by recording, from the first
            frames on.
        num_short (int): Recordings shorter than a window.

    Raises:
        ValueError: If there is no recording, one is no clip, two have one
            name, or window or stride is below 1.
    """

    def __init__(self,
                 recordings: Sequence[Clip],
                 pipeline: ClipPipeline,
                 window: int,
                 stride: int,
                 nonfinite: str = 'error') -> None:
        check_windows(window, stride)
        if not len(recordings):
            raise ValueError('there is no recording: the list is empty')
        self.pipeline = pipeline
        self.window = window
        self.stride = stride
        self.windows: list[Window] = []
        self.num_short = 0
        self._recordings: dict[str, dict[str, Any]] = {}
        for i, clip in enumerate(recordings):
            results = make_results(clip, f'recording {i}', nonfinite)
            name = str(results['frame_dir'])
            if name in self._recordings:
                raise ValueError(f'recording {name!r} is there twice; names '
                                 'must differ')
            self._recordings[name] = results
            num_frames = results['total_frames']
            self.num_short += num_frames < window
            self.windows += [
                Window(name, *frames)
                for frames in cut_windows(num_frames, window, stride)
            ]

    @property
    def num_recordings(self) -> int:
        """The number of recordings."""
        return len(self._recordings)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Prepare a window.

        Returns:
            dict: ``inputs`` and ``data_samples``, as the config's pipeline
            makes them. The data sample also has ``window``.
        """
        window = self.windows[index]
        data = self.pipeline(make_results(self.cut(window), str(window)))
        data['data_samples'].set_metainfo(dict(window=window))
        return data

    def cut(self, window: Window) -> dict[str, Any]:
        """Cut a window out of its recording, as an annotation."""
        return cut_frames(self._recordings[window.recording], window)
