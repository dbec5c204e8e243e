"""No file touches memory, asks for more than it has, or hangs."""
import pickle
import zipfile

import numpy as np
import payloads
import pytest
import torch
from child_process import outcomes
from conftest import make_annotations

from umurl_mmaction.fileio.annotations import (
    load_annotations,
    save_annotations,
)
from umurl_mmaction.fileio.checkpoints import load_checkpoint
from umurl_mmaction.fileio.clips import Clip, read_clip
from umurl_mmaction.fileio.npz import PlainNpz
from umurl_mmaction.fileio.plain import load_plain
from umurl_mmaction.fileio.results import load_results

FREE = 256 << 20


def refused(function, item, word=''):
    """Load in a process of its own, which must refuse in one line."""
    (outcome, _, memory), = outcomes(function, [item], limit=FREE)
    assert outcome.startswith('ValueError: ') and '\n' not in outcome, outcome
    # Not because there was no room.
    assert 'llocate' not in outcome and 'MemoryError' not in outcome, outcome
    assert memory < FREE // 2
    assert word in outcome
    return outcome


@pytest.mark.parametrize('load', [load_annotations, load_plain, load_results])
@pytest.mark.parametrize('protocol', [2, 4, 5])
@pytest.mark.parametrize('name', payloads.CORRUPTIONS)
def test_no_pickle_touches_memory(tmp_path, name, protocol, load):
    data = make_annotations()
    data['annotations'][3]['keypoint'] = payloads.CORRUPTIONS[name]()
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(data, protocol))
    refused(load, path)


@pytest.mark.parametrize('load', [load_annotations, load_results])
@pytest.mark.parametrize('name', payloads.BOMBS)
def test_pickle_bombs_are_refused(tmp_path, name, load):
    path = tmp_path / 'a.pkl'
    path.write_bytes(payloads.BOMBS[name])
    assert path.stat().st_size <= 1 << 20
    refused(load, path)


def test_characters_beyond_unicode_are_refused(tmp_path):
    broken = np.array([0x110000], 'u4').view('U1')
    path = tmp_path / 'a.pkl'
    for protocol in (2, 4, 5):
        for array in (broken, broken.view('u4').byteswap().view('>U1')):
            path.write_bytes(pickle.dumps([array], protocol))
            with pytest.raises(ValueError, match='a.pkl: .* beyond Unicode'):
                load_plain(path)
    np.savez(tmp_path / 'a.npz', names=broken)
    with PlainNpz(tmp_path / 'a.npz') as arrays:
        for read in (arrays.__getitem__, arrays.map):
            with pytest.raises(ValueError, match='names has .* Unicode'):
                read('names')


def test_an_honest_file_is_loaded(tmp_path):
    """The limits of the tests above leave room for it."""
    path = tmp_path / 'a.pkl'
    save_annotations(make_annotations(200, 100), path)
    (outcome, _, _), = outcomes(load_annotations, [path], limit=FREE)
    assert outcome == 'loaded'


@pytest.mark.parametrize('name', payloads.CHECKPOINT_BOMBS)
def test_checkpoint_bombs_are_refused(tmp_path, name):
    path = tmp_path / 'a.pth'
    payloads.checkpoint(path, payloads.CHECKPOINT_BOMBS[name])
    assert path.stat().st_size <= 1 << 20
    line = refused(load_checkpoint, path)
    assert f'{path}: torch cannot load it as weights: ' in line


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('name', payloads.CORRUPTIONS)
def test_no_checkpoint_touches_memory(tmp_path, name, zipped):
    path = tmp_path / 'a.pth'
    torch.save(
        dict(state_dict={}, message_hub=payloads.CORRUPTIONS[name]()),
        path,
        _use_new_zipfile_serialization=zipped)
    refused(load_checkpoint, path)


def test_old_checkpoint_of_more_values_than_bytes(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(
        dict(weight=torch.ones(4)), path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    changed = content.replace(b'K\x04N', b'J\x00\x00\x00\x40N', 1)
    assert changed != content
    path.write_bytes(changed)
    refused(load_checkpoint, path, 'tensors are larger than the file')


def zip_of_two(path, first, second):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in (first, second):
            archive.writestr(name, content)


def test_checkpoints_that_two_readers_take_for_different_ones(tmp_path):
    """What is checked must be what torch loads."""
    path = tmp_path / 'a.pth'
    torch.save(dict(weight=torch.ones(4)), path)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        members = [(x.filename, archive.read(x)) for x in archive.infolist()]
    for crafted in (
            [*members, ('A/data.pkl', members[0][1])],
            [*members, ('b/data.pkl', members[0][1])]):
        with zipfile.ZipFile(path, 'w') as archive:
            for name, data in crafted:
                archive.writestr(name, data)
        refused(load_checkpoint, path, 'none that torch writes')
    path.write_bytes(content[:64] + content)
    refused(load_checkpoint, path, 'zip archive')


def test_zip_bomb_as_a_checkpoint(tmp_path):
    path = tmp_path / 'a.pth'
    payloads.zip_bomb(path, 'a/data.pkl', b'\x80\x02')
    refused(load_checkpoint, path, 'says that it holds')
    from umurl_mmaction.engine.resume.whole_checkpoints import damage_of
    (outcome, seconds, _), = outcomes(damage_of, [path], limit=FREE)
    assert outcome == 'loaded' and seconds < 1
    assert damage_of(path) == 'is damaged at an entry'


# Archives of arrays


def npz(path, name, content):
    """An .npz of annotations, one member of which is crafted."""
    save_annotations(make_annotations(), path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays.pop(name)
    np.savez(path, **arrays)
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr(f'{name}.npy', content)


@pytest.mark.parametrize('dtype, shape, data', [
    ('<f8', (1 << 30, ), b''),
    ('|S0', (1 << 30, ), b''),
    ('<U0', (1 << 30, ), b''),
    ('<f8', (-1, 1), b'\0' * 8),
    ('<f8', (1 << 62, 1 << 62, 0), b'x'),
    ('<f8', (2, ), b'\0' * 8)])
def test_npz_bombs_are_refused(tmp_path, dtype, shape, data):
    path = tmp_path / 'a.npz'
    for name in ('annotations/frame_dir', 'annotations/keypoint'):
        npz(path, name, payloads.npy(dtype, shape, data))
        refused(load_annotations, path, f'{name} is of')
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('keypoint.npy', payloads.npy(dtype, shape, data))
    refused(read_clip, Clip(path), 'keypoint is of')


def test_zip_bombs_as_arrays(tmp_path):
    path = tmp_path / 'a.npz'
    payloads.zip_bomb(path, 'keypoint.npy', payloads.npy(
        '|u1', (1, 1, 1 << 30)))
    refused(load_annotations, path, 'says that it holds')
    refused(read_clip, Clip(path), 'says that it holds')
