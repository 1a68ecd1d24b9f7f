"""Who holds an execution, and whether that runner is dead: known at once when it ran on this host."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import time
from pathlib import Path

STALE_SECONDS = 24 * 3600.0


def host_name() -> str:
    """This host, as it stands in a lease."""
    return socket.gethostname().replace("/", "_")


class RunnerLock:
    """A file that this process keeps locked while it lives; the lease names it.

    The kernel lets go of the lock when the process dies, however it dies, so that another process on the host can
    take over at once instead of waiting for the lease to end.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _drop_stale(folder)
        self.token = secrets.token_hex(8)
        self.owner = f"{host_name()}/{os.getpid()}/{self.token}"
        self._path = folder / f"{self.token}.lock"
        self._fd = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        # A forked child must not keep the lock alive after this process has died.
        os.register_at_fork(after_in_child=self._close_in_child)

    def _close_in_child(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_dead(folder: Path, owner: str) -> bool:
    """True when ``owner`` is known to be dead: it ran on this host and its lock is free.

    A lock file that is not there says nothing (another container may share this host's name).
    """
    host, _, token = owner.split("/")
    if host != host_name():
        return False
    return _is_free(folder / f"{token}.lock")


def locked_files(folder: Path) -> list[Path]:
    """The lock files of runners and timers that live on this host."""
    return [path for path in folder.glob("*") if path.suffix in (".lock", ".pid") and not _is_free(path)]


def _is_free(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _drop_stale(folder: Path) -> None:
    for path in folder.glob("*.lock"):
        try:
            old = time.time() - path.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:
            continue
        if old and _is_free(path):
            path.unlink(missing_ok=True)
