"""Group commit: writers that meet share one transaction.

Who finds nobody committing leads: it commits on its own thread, without a hand-off. Who comes while somebody commits
enters the queue; when the leader is done, the first of the queue leads, with all of the queue as its batch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

MAX_BATCH = 500


class Entry:
    """One write on its way: ``work`` as the database understands it, then its outcome once ``settled``."""

    __slots__ = ("abandoned", "error", "settled", "value", "wake", "work")

    def __init__(self, work: Any) -> None:
        self.work = work
        self.value: Any = None
        self.error: BaseException | None = None
        self.settled = False
        self.abandoned = False
        self.wake: threading.Lock | None = None

    def fail(self, error: BaseException) -> None:
        """Settle with an error."""
        self.error = error
        self.settled = True


class GroupCommit:
    """``commit_batch`` commits a list of entries and settles each.

    When it raises (the leading thread was interrupted), the entries that it left unsettled are committed by the next.
    """

    def __init__(self, commit_batch: Callable[[list[Entry]], None]) -> None:
        self._commit_batch = commit_batch
        self._mutex = threading.Lock()
        self._queue: deque[Entry] = deque()
        self._leader: Entry | None = None
        self._batch: list[Entry] = []

    def run(self, work: Any) -> Any:
        """Commit ``work``, alone or with others; returns its value or raises its error."""
        entry = Entry(work)
        try:
            if self._enter(entry):
                self._commit_batch(self._fill_batch())
        finally:
            self._leave(entry)
        if entry.error is not None:
            raise entry.error
        return entry.value

    def lead_alone(self) -> Entry:
        """Wait until nobody commits, and let nobody commit until ``end_alone`` is given what this returned."""
        entry = Entry(None)
        try:
            self._enter(entry)
        except BaseException:
            self._leave(entry)
            raise
        return entry

    def end_alone(self, entry: Entry) -> None:
        """The end of ``lead_alone``."""
        self._leave(entry)

    def _enter(self, entry: Entry) -> bool:
        """True: this thread leads now. False: somebody else has settled the entry."""
        with self._mutex:
            if self._leader is None:
                self._leader = entry
                self._batch = [entry]
                return True
            wake = entry.wake = threading.Lock()
            wake.acquire()
            self._queue.append(entry)
        wake.acquire()
        return self._leader is entry

    def _leave(self, entry: Entry) -> None:
        if self._leader is not entry:
            if not entry.settled:
                self._abandon(entry)
            return
        with self._mutex:
            batch = self._batch
            unsettled = [e for e in batch if e is not entry and not e.settled and not e.abandoned]
            self._queue.extendleft(reversed(unsettled))
            self._hand_over()
        for other in batch:
            if other.settled and other is not entry:
                assert other.wake is not None
                other.wake.release()

    def _abandon(self, entry: Entry) -> None:
        """The waiting thread was interrupted: its entry must not be given the lead."""
        with self._mutex:
            entry.abandoned = True
            if entry in self._queue:
                self._queue.remove(entry)
            if self._leader is entry:
                self._hand_over()

    def _hand_over(self) -> None:
        if not self._queue:
            self._leader = None
            return
        first = self._leader = self._queue.popleft()
        self._batch = [first]
        assert first.wake is not None
        first.wake.release()

    def _fill_batch(self) -> list[Entry]:
        """The leader's own entry and those that wait now; one without work is to lead alone, later."""
        batch = self._batch
        if self._queue:
            with self._mutex:
                while self._queue and len(batch) < MAX_BATCH and self._queue[0].work is not None:
                    batch.append(self._queue.popleft())
        return batch
