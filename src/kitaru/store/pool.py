"""Connections that are lent to one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


class Pool:
    """At most ``size`` connections, opened when needed and kept until ``close``; the last one used is lent first.

    A connection whose user met an error is closed if ``is_broken`` says so, and not lent again.
    """

    def __init__(
        self, open_connection: Callable[[], Any], is_broken: Callable[[Any], bool], size: int
    ) -> None:
        self._open = open_connection
        self._is_broken = is_broken
        self._size = size
        self._changed = threading.Condition()
        self._idle: list[Any] = []
        self._lent = 0
        self._paused = False

    @contextmanager
    def connection(self) -> Generator[Any]:
        """Borrow a connection; waits while all are lent."""
        connection = self._borrow()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _borrow(self) -> Any:
        with self._changed:
            while self._paused or (self._lent >= self._size and not self._idle):
                self._changed.wait()
            self._lent += 1
            if self._idle:
                return self._idle.pop()
        try:
            return self._open()
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        with self._changed:
            self._lent -= 1
            self._changed.notify_all()

    def _give_back(self, connection: Any) -> None:
        broken = self._is_broken(connection)
        with self._changed:
            self._lent -= 1
            if not broken:
                self._idle.append(connection)
            self._changed.notify_all()
        if broken:
            connection.close()

    def drop_idle(self) -> None:
        """Close the connections that nobody uses: one was lost, and they may be lost too."""
        with self._changed:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def pause(self) -> None:
        """Lend nothing more, wait until all are back, and close them."""
        with self._changed:
            self._paused = True
            while self._lent:
                self._changed.wait()
        self.drop_idle()

    def resume(self) -> None:
        """Lend again."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()
