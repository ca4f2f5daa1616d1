"""File locks that the kernel releases when the process that holds them dies.

A lock belongs to the open file. If one process opens a file twice, the two locks exclude each other as they would in two processes. A child
process that inherits the file keeps the lock.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lockstep.errors import conflict, invalid


class FileLock:
    """One open lock file. The file is kept after the lock is released: if it were removed, two users could lock two different files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as refused:
            raise invalid(
                f"{path} cannot be opened",
                why=refused.strerror or "",
                next_step="Run as the user who owns the data folder",
            ) from refused
        give_to_owner_of_folder(path)

    def share(self) -> None:
        """Wait until no process holds the lock exclusively, then share it."""
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)

    def wait_alone(self) -> None:
        """Wait for the exclusive lock."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)

    def try_alone(self) -> bool:
        """Take the exclusive lock, unless another process holds a lock on the file. This process may lose its shared lock in the attempt,
        even if the result is False.
        """
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the lock. A child process that inherited the file keeps the lock."""
        with suppress(OSError):
            os.close(self.descriptor)

    def note(self, text: str) -> None:
        """Write a note into the file, for processes that find the lock taken."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text.encode(), 0)

    def read_note(self) -> str:
        return os.pread(self.descriptor, 200, 0).decode(errors="replace").strip()


def give_to_owner_of_folder(path: Path) -> None:
    """Make the owner of the folder the owner of *path*, a file that root created. Otherwise that owner could not use the file. Links are
    not followed, because the owner controls the folder.
    """
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)


@contextmanager
def held_alone(path: Path, *, timeout_seconds: float = 120.0) -> Iterator[None]:
    """Hold the lock file at *path* exclusively during the block. Raises LockstepError if others hold it for *timeout_seconds*."""
    lock = FileLock(path)
    try:
        give_up_at = time.monotonic() + timeout_seconds
        while not lock.try_alone():
            if time.monotonic() > give_up_at:
                raise conflict(
                    f"Another command that starts or stops PostgreSQL has kept {path} locked for {timeout_seconds:.0f} seconds",
                    next_step="Wait for it or stop it, then try again",
                )
            time.sleep(0.01)
        yield
    finally:
        lock.close()


def claim_main(data: Path, product: str) -> FileLock:
    """Register this process as the only main process of *product* in *data*. Raises LockstepError if another process is registered."""
    lock = FileLock(data / f"{product}.lock")
    if not lock.try_alone():
        pid = lock.read_note()
        lock.close()
        raise conflict(
            f"{product.capitalize()} is already running in {data} (process {pid or 'unknown'})",
            next_step="Stop it first, or use a separate data folder: --data FOLDER",
        )
    lock.note(str(os.getpid()))
    return lock
