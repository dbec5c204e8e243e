"""One run to a folder."""
import atexit
import os
import socket
import time
from pathlib import Path
from typing import Optional, Union

from .atomic import fcntl

NAME = 'running.lock'
# What a process says of itself in the file.
HOLDER = 'process {pid} on host {host}, since {since}'


class FolderLock:
    """A lock on a folder that ends with its process, however it ends.

    The lock is the operating system's on ``running.lock`` (POSIX record
    lock), not the presence of the file: a file that a killed process left
    does not block. Unlike ``flock``, forked processes such as the workers of
    a data loader do not hold it on. Do not open the file elsewhere in the
    process: closing it there would end the lock.

    On NFS, the lock holds across hosts, unless the folder is mounted with
    ``nolock`` or ``local_lock``: then hosts do not see each other's locks.

    Args:
        folder (str | Path): A folder that is there.
    """

    # Descriptors by process, since a fork copies this, and path: one process
    # may run one training after the other in one folder.
    _held: dict[tuple[int, Path], int] = {}

    def __init__(self, folder: Union[str, Path]) -> None:
        self.folder = folder
        self.path = Path(folder).resolve() / NAME

    def acquire(self) -> Optional[str]:
        """Lock the folder, or keep the lock that this process has.

        Returns:
            str | None: Why two runs in the folder may not see each other, for
            a warning; None if they do.

        Raises:
            ValueError: If another process has the lock. Names it, and its
                host.
        """
        if fcntl is None:
            return self._warning('this system has no POSIX locks')
        key = os.getpid(), self.path
        if key not in self._held:
            try:
                self._held[key] = self._lock()
            except OSError as error:
                return self._warning(f'{error.strerror} ({NAME})')
            atexit.register(self.release)
        before = self._say(self._held[key])
        host = before.partition(' on host ')[2].partition(',')[0]
        if host not in ('', socket.gethostname()):
            return self._warning(f'{before} has not ended its run properly, '
                                 'and not all file systems lock across hosts')
        return None

    def release(self) -> None:
        """Unlock the folder if this process has locked it."""
        descriptor = self._held.pop((os.getpid(), self.path), None)
        if descriptor is not None:
            atexit.unregister(self.release)
            self.path.unlink(missing_ok=True)
            os.close(descriptor)

    def _lock(self) -> int:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # It may have been removed by a run that has just ended.
                if os.path.samestat(os.fstat(descriptor), self.path.stat()):
                    return descriptor
            except (BlockingIOError, PermissionError) as error:
                holder = os.read(descriptor, 1000).decode(errors='replace')
                os.close(descriptor)
                raise ValueError(
                    f'folder {str(self.folder)!r} is in use by '
                    f'{holder.strip() or "another process"}; wait for its '
                    'end, or choose another folder (--work-dir)') from error
            except FileNotFoundError:
                pass
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)

    @staticmethod
    def _say(descriptor: int) -> str:
        """Write who has the lock; return who had it before."""
        before = os.pread(descriptor, 1000, 0).decode(errors='replace')
        os.ftruncate(descriptor, 0)
        text = HOLDER.format(
            pid=os.getpid(),
            host=socket.gethostname(),
            since=time.strftime('%Y-%m-%d %H:%M:%S'))
        os.pwrite(descriptor, f'{text}\n'.encode(), 0)
        return before.strip()

    def _warning(self, reason: str) -> str:
        return (f'make sure that no other run uses {str(self.folder)!r}: '
                f'{reason}')
