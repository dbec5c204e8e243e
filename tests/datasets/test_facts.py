"""What an annotation file says of its clips."""
import os
import zipfile

import numpy as np
import pytest
from conftest import make_annotations

from umurl_mmaction.datasets import DataFacts, facts, read_facts
from umurl_mmaction.fileio.annotations import save_annotations
from umurl_mmaction.skeleton import LAYOUTS, build_layout

SKELETON = dict(joints=list('abcde'), parents=[-1, 0, 1, 1, 1])


def write(path, **kwargs):
    data = make_annotations(num_joints=5, coords=2)
    save_annotations(dict(data, **kwargs), path)
    return str(path)


@pytest.mark.parametrize('suffix', ['.pkl', '.npz'])
def test_facts(tmp_path, suffix):
    path = write(tmp_path / f'a{suffix}', skeleton=SKELETON)
    assert read_facts(path) == DataFacts(
        layout=build_layout(SKELETON),
        num_person=2,
        in_channels=2,
        num_classes=3)
    path = write(tmp_path / f'b{suffix}', classes=list('abcd'))
    assert read_facts(path) == DataFacts(None, 2, 2, 4)
    data = make_annotations(num_train=1, num_val=0)
    del data['annotations'][0]['label']
    path = tmp_path / f'c{suffix}'
    save_annotations(dict(data, skeleton='nturgb+d'), path)
    assert read_facts(str(path)) == DataFacts(LAYOUTS['nturgb+d'], 1, 3, 0)


def test_the_largest_number_of_bodies_counts_wherever_it_is(tmp_path):
    data = make_annotations()
    data['annotations'].reverse()
    assert [len(data['annotations'][i]['keypoint']) for i in (0, -1)] == [2, 1]
    save_annotations(data, tmp_path / 'set.pkl')
    assert read_facts(str(tmp_path / 'set.pkl')).num_person == 2


def test_the_coordinates_of_an_npz_are_not_read(tmp_path):
    path = write(tmp_path / 'a.npz', skeleton=SKELETON)
    want = read_facts(path)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo('annotations/keypoint.npy')
    with open(path, 'r+b') as file:
        file.seek(info.header_offset + 40)
        file.write(bytes(info.file_size - 100))
    facts._read_facts.cache_clear()
    assert read_facts(path) == want


def test_a_file_is_read_again_only_if_it_has_changed(tmp_path, monkeypatch):
    path = write(tmp_path / 'a.pkl')
    reads = []
    load = facts.load_annotations
    monkeypatch.setattr(facts, 'load_annotations', lambda *args, **kwargs: (
        reads.append(args) or load(*args, **kwargs)))
    for _ in range(2):
        assert read_facts(path).num_classes == 3
    assert len(reads) == 1
    write(tmp_path / 'a.pkl', classes=list('abcd'))
    assert read_facts(path).num_classes == 4
    os.utime(path, (0, 0))
    read_facts(path)
    assert len(reads) == 3


@pytest.mark.parametrize('change, message', [
    (lambda data: data['annotations'].clear(), 'it has no clip'),
    (lambda data: data.update(skeleton='kinect'),
     "skeleton: unknown layout 'kinect'; known are"),
    (lambda data: data.update(skeleton=dict(SKELETON, parents=[0] * 5)),
     'skeleton: .* exactly one root'),
    (lambda data: data.update(skeleton=dict(joints=['a'])),
     'skeleton has no parents'),
    (lambda data: data['annotations'][3].update(
        keypoint=np.zeros((1, 9, 5, 4)), total_frames=9),
     'joints and coordinates must agree'),
    (lambda data: data['annotations'][3].update(label=-1), 'label -1')])
def test_a_wrong_file_is_named_in_one_line(tmp_path, change, message):
    data = make_annotations()
    change(data)
    path = tmp_path / 'a.pkl'
    save_annotations(data, path)
    with pytest.raises(ValueError, match=message) as info:
        read_facts(str(path))
    assert str(path) in str(info.value) and '\n' not in str(info.value)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match="'nowhere.pkl' is not there"):
        read_facts('nowhere.pkl')
