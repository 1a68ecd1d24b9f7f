"""Forks: a database closes all its connections before the process forks, and opens them again when next used.

SQLite keeps lock tables per process that a child would inherit along with any open connection, without the locks that
they speak of. With nothing open at the fork there is nothing to inherit.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Forkable(Protocol):
    """What has connections."""

    def before_fork(self) -> None:
        """Wait until no connection is in use, close all, and let nobody open one."""
        ...

    def after_fork(self, *, in_child: bool) -> None:
        """Connections may be opened again."""
        ...


_open: weakref.WeakSet[Forkable] = weakref.WeakSet()
_forking: list[Forkable] = []
_one_at_a_time = threading.Lock()
_registered = False


def close_at_forks(database: Forkable) -> None:
    """From now on the database is told of forks, for as long as it lives."""
    global _registered
    _open.add(database)
    if not _registered:
        _registered = True
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    _one_at_a_time.acquire()
    for database in list(_open):
        database.before_fork()
        _forking.append(database)


def _in_parent() -> None:
    while _forking:
        _forking.pop().after_fork(in_child=False)
    _one_at_a_time.release()


def _in_child() -> None:
    while _forking:
        _forking.pop().after_fork(in_child=True)
    _one_at_a_time.release()
