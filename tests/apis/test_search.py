"""Search of a query in the windows of recordings."""
import json
import zipfile

import numpy as np
import pytest

from umurl_mmaction.apis import MotionSearch, Window
from umurl_mmaction.apis.windows import cut_windows

F = 6


def write(path, compress=False, dtype=np.float32, **changes):
    """Windows of three recordings with random features."""
    rng = np.random.default_rng(0)
    names, frames = [], []
    for name, num_frames in (('a', 50), ('bb', 5), ('c', 31)):
        windows = cut_windows(num_frames, 10, 4)
        names += [name] * len(windows)
        frames += windows
    arrays = dict(
        fused=rng.normal(size=(len(names), F)).astype(dtype),
        names=np.array(names),
        frames=np.array(frames),
        about=np.array(json.dumps(dict(encoder='x', checkpoint='x.pth'))))
    arrays.update(changes)
    (np.savez_compressed if compress else np.savez)(
        path, **{k: v for k, v in arrays.items() if v is not None})
    return arrays


@pytest.mark.parametrize('dtype', [np.float32, np.float16])
def test_cosines_are_those_of_all_windows(tmp_path, monkeypatch, dtype):
    # Several chunks, the last of them smaller.
    monkeypatch.setattr('umurl_mmaction.apis.search.CHUNK', 4 * F * 5)
    arrays = write(tmp_path / 'a.npz', dtype=dtype)
    search = MotionSearch(tmp_path / 'a.npz')
    assert isinstance(search.features, np.memmap)
    assert search.features.dtype == dtype
    features = arrays['fused'].astype(np.float64)
    queries = np.random.default_rng(1).normal(size=(3, F))
    expected = (queries @ features.T) / np.outer(
        np.linalg.norm(queries, axis=1), np.linalg.norm(features, axis=1))
    np.testing.assert_allclose(search.cosines(queries), expected, atol=1e-6)
    np.testing.assert_allclose(
        search.cosines(queries[0]), expected[0], atol=1e-6)


def test_moments_are_the_best_windows_without_overlap(tmp_path):
    arrays = write(tmp_path / 'a.npz')
    search = MotionSearch(tmp_path / 'a.npz')
    assert list(search.rows) == ['a', 'bb', 'c']
    assert search.num_frames == 50 + 5 + 31
    cosines = search.cosines(arrays['fused'][3])
    # Plain form: in the order of the cosines, those that overlap none before.
    expected = []
    for row in np.argsort(-cosines):
        window = Window(str(arrays['names'][row]), *arrays['frames'][row])
        if all(x.recording != window.recording or x.stop <= window.start
               or window.stop <= x.start for x, _ in expected):
            expected.append((window, row))
    found = search.find(cosines, 100)
    assert [(x.window, x.row) for x in found] == expected
    assert found[0].row == 3 and found[0].cosine == pytest.approx(1)
    assert search.find(cosines, 2) == found[:2]


@pytest.mark.parametrize('changes, message', [
    (dict(frames=np.array([[0, 5], [-1, 4]])), 'are no windows: wanted'),
    (dict(frames=np.array([[0, 5], [5, 5]])), 'are no windows: wanted'),
    (dict(frames=np.array([[0, 5.5], [1, 6]])), 'are no windows: wanted'),
    (dict(about=np.array('[1]')), 'its about is no JSON object'),
    (dict(about=np.array('[' * 100_000)), 'recursion'),
    # Found by name, windows of the first would be those of the second.
    (dict(names=np.array(['a', 'b', 'a']), fused=np.ones((3, F), 'f4'),
          frames=np.array([[0, 5], [0, 5], [5, 9]])), "'a' do not stand"),
])  # yapf: disable
def test_windows_that_cannot_be_are_refused(tmp_path, changes, message):
    write(tmp_path / 'a.npz', **{
        'names': np.array(['a', 'a']), 'fused': np.ones((2, F), 'f4'),
        'frames': np.array([[0, 5], [1, 6]]), **changes})
    with pytest.raises(ValueError, match=f'a.npz: .*{message}'):
        MotionSearch(tmp_path / 'a.npz')


def test_the_query_is_no_answer(tmp_path):
    arrays = write(tmp_path / 'a.npz')
    search = MotionSearch(tmp_path / 'a.npz')
    query = search.window(3)
    found = search.find(
        search.cosines(arrays['fused'][3]), 100, exclude=query)
    for window, _, _ in found:
        assert window.recording != 'a' or not (
            window.start < query.stop and query.start < window.stop)
    assert {x.window.recording for x in found} == {'a', 'bb', 'c'}


@pytest.mark.parametrize('changes, message', [
    (dict(frames=None), "it has no 'frames', only fused"),
    (dict(fused=None), "it has no 'fused', only names"),
    (dict(frames=np.zeros((3, 2), int)), 'are no windows'),
    (dict(about=np.array('no JSON')), 'wanted is a file of'),
    (dict(compress=True), 'fused is compressed'),
])
def test_what_is_no_file_of_windows(tmp_path, changes, message):
    write(tmp_path / 'a.npz', **changes)
    with pytest.raises(ValueError, match=message):
        MotionSearch(tmp_path / 'a.npz')
    (tmp_path / 'b.npz').write_bytes((tmp_path / 'a.npz').read_bytes()[:90])
    with pytest.raises(ValueError, match='b.npz: .*wanted is a file of'):
        MotionSearch(tmp_path / 'b.npz')


def test_what_cannot_be_compared(tmp_path):
    arrays = write(tmp_path / 'a.npz')
    search = MotionSearch(tmp_path / 'a.npz')
    with pytest.raises(ValueError, match=r'queries \(5,\) do not fit'):
        search.cosines(np.ones(5))
    with pytest.raises(ValueError, match='num_moments must be at least 1'):
        search.find(np.zeros(3), 0)
    arrays['fused'][14, 2] = np.nan
    write(tmp_path / 'a.npz', fused=arrays['fused'])
    with pytest.raises(ValueError, match=r'c\[8:18\] of .* not finite'):
        MotionSearch(tmp_path / 'a.npz').cosines(np.ones(F))


def test_mapped_arrays_are_those_of_the_file(tmp_path):
    from umurl_mmaction.fileio.npz import PlainNpz
    path = tmp_path / 'a.npz'
    arrays = dict(
        c=np.arange(12.).reshape(3, 4), f=np.asfortranarray(np.eye(3)),
        scalar=np.array('x'), none=np.zeros((0, 3)), text=np.array(['é', 'b']))
    np.savez(path, **arrays)
    with zipfile.ZipFile(path, 'a') as archive:
        archive.comment = b'a comment'
    with PlainNpz(path) as got:
        for name, array in arrays.items():
            assert np.array_equal(got.map(name), array)
        mapped = got.map('c')
    assert isinstance(mapped, np.memmap) and not mapped.flags.writeable
    assert mapped[2, 3] == 11
