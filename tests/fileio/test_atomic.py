"""Files are the old one or the whole new one."""
import errno
import os
import signal

import pytest

from umurl_mmaction.fileio import atomic
from umurl_mmaction.fileio.atomic import (
    AtomicLocalBackend,
    remove_leftovers,
    replacing,
    replacing_folder,
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


def die_within(context):
    """A process that is killed while it writes a temporary file."""
    child = os.fork()
    if not child:
        with context as part:
            (part / 'new' if part.is_dir() else part).write_text('half')
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_leftovers_of_killed_processes_are_removed(tmp_path):
    for keep_suffix in (True, False):
        die_within(replacing(tmp_path / 'a.pth', keep_suffix))
    (tmp_path / '.hidden.pth').touch()
    assert len(os.listdir(tmp_path)) == 2  # the second removed the first's
    with replacing(tmp_path / 'b.pth') as part:
        part.write_text('whole')
        remove_leftovers(tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted(
            [part.name, '.hidden.pth'])
    assert sorted(os.listdir(tmp_path)) == ['.hidden.pth', 'b.pth']


def test_the_next_writer_removes_what_killed_ones_left(tmp_path):
    """Of its own file only, and nothing that is being written."""
    die_within(replacing(tmp_path / '[a].pkl'))
    die_within(replacing(tmp_path / 'b.pkl'))
    with replacing(tmp_path / '[a].pkl') as running:
        running.write_text('running')
        write_text(tmp_path / '[a].pkl', 'next')
        names = os.listdir(tmp_path)
        assert len(names) == 3 and running.name in names
    assert (tmp_path / '[a].pkl').read_text() == 'running'
    left, = set(os.listdir(tmp_path)) - {'[a].pkl'}
    assert left.startswith('.b.pkl.') and left.endswith('.part.pkl')


def test_folders_are_replaced_as_a_whole(tmp_path):
    folder = tmp_path / 'new' / 'folder'
    for name in ('old', 'new'):
        with replacing_folder(folder) as part:
            (part / name).touch()
    assert os.listdir(folder) == ['new']
    die_within(replacing_folder(folder))
    with pytest.raises(KeyError), replacing_folder(folder):
        raise KeyError
    assert os.listdir(folder.parent) == ['folder']
    assert os.listdir(folder) == ['new']


def test_a_temporary_file_taken_for_a_leftover_gets_another_name(
        tmp_path, monkeypatch):
    names = []

    def touch(part, original=atomic._touch):
        original(part)
        names.append(part.name)
        if len(names) == 1:  # before it is locked
            remove_leftovers(tmp_path)

    monkeypatch.setattr(atomic, '_touch', touch)
    write_text(tmp_path / 'a.txt', 'whole')
    assert len(names) == 2 and os.listdir(tmp_path) == ['a.txt']


def test_where_files_cannot_be_locked_leftovers_stay(tmp_path, monkeypatch):
    die_within(replacing(tmp_path / 'a.txt'))
    monkeypatch.setattr(atomic, 'fcntl', None)
    write_text(tmp_path / 'a.txt', 'whole')
    assert len(os.listdir(tmp_path)) == 2
    assert (tmp_path / 'a.txt').read_text() == 'whole'


def test_a_full_disk_names_the_file_that_is_wanted(tmp_path):
    path = tmp_path / 'a.npz'
    with pytest.raises(OSError) as error, replacing(path):
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert error.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as error, replacing(path):
        open(tmp_path / 'other')
    assert error.value.filename == str(tmp_path / 'other')
