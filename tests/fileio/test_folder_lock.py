"""A lock on a folder ends with its process, and says whose it is."""
import errno
import os
import signal
import socket

import pytest

from umurl_mmaction.fileio import folder_lock
from umurl_mmaction.fileio.folder_lock import FolderLock

HOST = socket.gethostname()


def elsewhere(folder, work=lambda lock: None):
    """What another process is told when it locks the folder.

    With the lock, or without it, it does its work.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        lock = FolderLock(folder)
        try:
            answer = str(lock.acquire())
        except ValueError as error:
            answer = str(error)
        os.write(write, answer.encode())
        work(lock)
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        return pipe.read(), child


def test_the_second_run_is_told_of_the_first(tmp_path):
    lock = FolderLock(tmp_path)
    assert lock.acquire() is None
    answer, _ = elsewhere(tmp_path)
    assert answer.startswith(
        f'folder {str(tmp_path)!r} is in use by process {os.getpid()} on '
        f'host {HOST}, since 2')
    assert answer.endswith('; wait for its end, or choose another folder '
                           '(--work-dir)')
    # Neither the refusal nor a second training of this process ends it.
    assert FolderLock(tmp_path).acquire() is None
    assert 'is in use by' in elsewhere(tmp_path)[0]
    lock.release()
    assert os.listdir(tmp_path) == []
    assert elsewhere(tmp_path, FolderLock.release)[0] == 'None'
    assert os.listdir(tmp_path) == []


def test_a_killed_process_does_not_block(tmp_path):
    answer, child = elsewhere(
        tmp_path, lambda lock: os.kill(os.getpid(), signal.SIGKILL))
    assert answer == 'None'
    text = (tmp_path / 'running.lock').read_text()
    assert text.startswith(f'process {child} on host {HOST}, since 2')
    lock = FolderLock(tmp_path)
    assert lock.acquire() is None
    text = (tmp_path / 'running.lock').read_text()
    assert text.startswith(f'process {os.getpid()} on')
    lock.release()


def test_a_forked_process_neither_has_nor_ends_the_lock(tmp_path):
    lock = FolderLock(tmp_path)
    lock.acquire()
    read, write = os.pipe()
    worker = os.fork()
    if not worker:
        os.close(write)
        lock.release()
        os.read(read, 1)  # as long as the parent wants
        os._exit(0)
    assert 'is in use by' in elsewhere(tmp_path)[0]
    lock.release()
    assert elsewhere(tmp_path, FolderLock.release)[0] == 'None'
    os.close(write)
    os.waitpid(worker, 0)


def test_the_lock_of_another_host_is_named(tmp_path):
    """As after a kill there; or its lock is not seen here."""
    (tmp_path / 'running.lock').write_text(
        'process 5 on host other, since 2026-01-01 00:00:00\n')
    lock = FolderLock(tmp_path)
    assert lock.acquire() == (
        f'make sure that no other run uses {str(tmp_path)!r}: process 5 on '
        'host other, since 2026-01-01 00:00:00 has not ended its run '
        'properly, and not all file systems lock across hosts')
    lock.release()


@pytest.mark.parametrize('system', ['Windows', 'disk'])
def test_without_locks_it_says_so(tmp_path, monkeypatch, system):

    def refuse(*args):
        raise OSError(errno.ENOLCK, 'No locks available')

    if system == 'disk':
        monkeypatch.setattr(folder_lock.fcntl, 'lockf', refuse)
        reason = 'No locks available (running.lock)'
    else:
        monkeypatch.setattr(folder_lock, 'fcntl', None)
        reason = 'this system has no POSIX locks'
    lock = FolderLock(tmp_path)
    assert lock.acquire() == ('make sure that no other run uses '
                              f'{str(tmp_path)!r}: {reason}')
    lock.release()
