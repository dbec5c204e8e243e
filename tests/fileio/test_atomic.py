"""Files are the old one or the whole new one."""
import errno
import os

import pytest

from umurl_mmaction.fileio.atomic import (
    AtomicLocalBackend,
    remove_leftovers,
    replacing,
    write_text,
)


def test_the_file_is_the_old_one_until_the_body_has_ended(tmp_path):
    path = tmp_path / 'new' / 'a.npz'
    write_text(path, 'old')
    with replacing(path) as part:
        assert part.parent == path.parent and part.suffix == '.npz'
        part.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert os.listdir(path.parent) == ['a.npz']


def test_an_error_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')
    with pytest.raises(KeyError), replacing(path) as part:
        part.write_text('half')
        raise KeyError
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['a.txt']


def test_two_writers_do_not_share_a_temporary_file(tmp_path):
    path = tmp_path / 'a.txt'
    with replacing(path) as first, replacing(path) as second:
        first.write_text('first')
        second.write_text('second')
        assert first != second
    assert path.read_text() == 'first' and os.listdir(tmp_path) == ['a.txt']


def test_all_bytes_reach_the_disk_before_the_renaming(tmp_path, monkeypatch):
    calls = []
    for name in ('fsync', 'replace'):
        function = getattr(os, name)

        def call(*args, name=name, function=function):
            calls.append(name)
            return function(*args)

        monkeypatch.setattr(os, name, call)
    AtomicLocalBackend().put_text('ä', tmp_path / 'a.txt')
    assert calls == ['fsync', 'replace', 'fsync']
    assert (tmp_path / 'a.txt').read_text(encoding='utf-8') == 'ä'


def test_leftovers_of_killed_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr('pathlib.Path.unlink', lambda *args, **kwargs: None)
    for keep_suffix in (True, False):
        with pytest.raises(KeyError), replacing(
                tmp_path / 'a.pth', keep_suffix) as part:
            part.write_text('half')
            raise KeyError
    monkeypatch.undo()
    (tmp_path / '.hidden.pth').touch()
    assert len(list(tmp_path.iterdir())) == 3
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ['.hidden.pth']


def test_a_full_disk_names_the_file_that_is_wanted(tmp_path):
    path = tmp_path / 'a.npz'
    with pytest.raises(OSError) as error, replacing(path):
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert error.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as error, replacing(path):
        open(tmp_path / 'other')
    assert error.value.filename == str(tmp_path / 'other')
