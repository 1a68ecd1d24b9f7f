"""A run with its waits and its submitted jobs: what sync and async flows share above the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from kitaru.engine.jobs import Jobs
from kitaru.engine.run import Run
from kitaru.engine.scope import Branch
from kitaru.engine.waiting import Pending, Prompt, Waits, wait_until_settled
from kitaru.store.records import CallRecord


@dataclass
class WaitingRun(Run):
    """A flow that runs, with what it waits for."""

    prompt: Prompt | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.root = Branch(trail=self.trails.root)
        self.jobs = Jobs(self, self.branch, self.wake)
        self.waits = Waits(self, self.prompt)
        if not self.journal.fresh:
            self.waits.refresh()

    def branch(self) -> Branch:
        """The line of control that makes a call now."""
        return self.root

    def wake(self) -> None:
        """Something happened on another thread than the flow's."""

    def active(self) -> int:
        """How many calls are on their way, not counting those that ask a person."""
        asking = [pending for pending in list(self.waits.asked.values()) if pending.record is None]
        return self.jobs.in_flight - len(asking)

    def ask(self, pending: Pending) -> CallRecord:
        """The record of a question that a call asks; blocks this thread until it is settled."""
        record = self.own_record(pending.call)
        if record is not None:
            return record
        if threading.get_ident() == self.thread_id:
            self.waits.open(pending)
            return self.settle(pending)
        with self.changed:
            self.waits.asked[pending.call.call_id] = pending
            self.changed.notify_all()
        self.wake()
        with self.changed:
            while pending.record is None and self.signal is None:
                self.changed.wait()
            del self.waits.asked[pending.call.call_id]
        if pending.record is None:
            self.check_open()
        assert pending.record is not None
        return pending.record

    def settle(self, pending: Pending) -> CallRecord:
        """Block the flow's thread until the wait is settled, or suspend."""
        wait_until_settled(self, self.waits, [pending], lambda: pending.record is not None, self.active)
        assert pending.record is not None
        return pending.record

    def block(self, ready: Callable[[], bool]) -> None:
        """Block the flow's thread until ``ready``; suspends when all that is on its way asks a person."""
        while True:
            with self.changed:
                while not ready() and self.signal is None and not self.waits.asked:
                    self.changed.wait()
            if ready():
                return
            self.check_open()
            asked = list(self.waits.asked.values())
            wait_until_settled(self, self.waits, asked, lambda: ready() or not self.waits.asked, self.active)
