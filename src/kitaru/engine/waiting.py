"""Waits of a running flow: questions, timers and children, until they are settled."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kitaru.engine.calls import Call, Outcome
from kitaru.engine.run import Run
from kitaru.errors import FailureOrigin, KitaruExecutionError, KitaruWaitExpired
from kitaru.store.protocol import JournalStore
from kitaru.store.records import (
    CallKind,
    CallRecord,
    ExecutionRecord,
    Status,
    WaitKind,
    WaitRecord,
    WaitStatus,
)

SHORT_SLEEP = 1.0
POLL_SECONDS = 0.1

Validate = Callable[[Any], Any]
Prompt = Callable[[WaitRecord], bool]


@dataclass(slots=True)
class Pending:
    """A wait that the flow has asked for and that is not in the journal yet.

    ``hold_until`` (monotonic seconds): until then the runner stays alive in case the wait is settled at once.
    ``validate`` turns the answer's plain value into the type that the flow asked for. ``before_open`` is called when
    the wait is not in the journal: a child is taken over there if its runner died. ``record`` is set once the wait was
    settled and recorded.
    """

    call: Call
    wait: WaitRecord
    hold_until: float = 0.0
    validate: Validate | None = None
    prompted: bool = False
    record: CallRecord | None = None
    before_open: Callable[[], None] | None = None


@dataclass
class Waits:
    """The waits of one run; used by the flow's thread alone. Other threads leave their questions in ``asked``."""

    run: Run
    prompt: Prompt | None = None
    known: dict[str, WaitRecord] = field(default_factory=dict[str, WaitRecord])
    opened: dict[str, Pending] = field(default_factory=dict[str, Pending])
    asked: dict[str, Pending] = field(default_factory=dict[str, Pending])

    def open(self, pending: Pending) -> None:
        """Register a wait, unless an earlier runner of this execution did: then its due time stands."""
        run = self.run
        run.check_open()
        if pending.before_open is not None:
            pending.before_open()
        if pending.call.call_id not in self.known:
            run.commit(waits=[pending.wait])
            self.known[pending.call.call_id] = pending.wait
        pending.wait = self.known[pending.call.call_id]
        self.opened[pending.call.call_id] = pending
        if pending.wait.kind == WaitKind.CHILD:
            self._look_at_child(pending.wait)

    def collect(self) -> None:
        """Record every open wait that was settled, also those that the flow does not block on now."""
        for call_id, pending in list(self.asked.items()):
            if call_id not in self.opened and pending.record is None:
                self.open(pending)
        # In the order in which they were settled.
        for call_id in [call_id for call_id in self.known if call_id in self.opened]:
            pending = self.opened[call_id]
            record = self.settled(pending)
            if record is not None:
                del self.opened[call_id]
                with self.run.changed:
                    pending.record = record
                    self.run.changed.notify_all()

    def withdraw(self, pending: Pending) -> None:
        """The flow no longer wants the answer."""
        self.opened.pop(pending.call.call_id, None)
        self.run.store.settle(self.run.exec_id, pending.call.call_id, WaitStatus.CLOSED, by="flow")

    def refresh(self, store: JournalStore | None = None) -> None:
        """Read what others settled; by default from the run's own store, which waits when it fails."""
        found = (store or self.run.store).waits(self.run.exec_id)
        self.known = {wait.call_id: wait for wait in found}

    def settled(self, pending: Pending) -> CallRecord | None:
        """The record of a wait that has been settled, committed now; None while it is pending."""
        run = self.run
        wait = self.known[pending.call.call_id]
        pending.wait = wait
        run.settle_due(wait)
        if wait.status == WaitStatus.PENDING and wait.kind == WaitKind.CHILD:
            self._look_at_child(wait)
        if wait.status == WaitStatus.PENDING and wait.due_at is not None and run.store.now() >= wait.due_at:
            self.refresh()
            wait = pending.wait = self.known[pending.call.call_id]
        if wait.status == WaitStatus.PENDING:
            return None
        if wait.kind == WaitKind.CHILD:
            return self._child_record(pending)
        outcome = self._outcome(pending)
        return None if outcome is None else run.record(pending.call, outcome)

    def _outcome(self, pending: Pending) -> Outcome | None:
        run, wait = self.run, pending.wait
        now = wait.settled_at or run.store.now()
        outcome = Outcome(started_at=wait.created_at or now, ended_at=now)
        if wait.status == WaitStatus.EXPIRED:
            outcome.error = KitaruWaitExpired(
                f"Wait {wait.name!r} of execution {run.exec_id} expired without an answer.",
                exec_id=run.exec_id,
            )
        elif wait.status != WaitStatus.ANSWERED:
            outcome.error = KitaruExecutionError(
                f"Wait {wait.name!r} of execution {run.exec_id} was aborted.",
                exec_id=run.exec_id,
                failure_origin=FailureOrigin.CANCELLED,
            )
        elif wait.answer is not None:
            value = run.vault.get(wait.answer)
            if pending.validate is None:
                outcome.value = value
                return outcome
            try:
                outcome.value = pending.validate(value)
            except ValueError as invalid:
                self._reject(pending, invalid)
                return None
        return outcome

    def _reject(self, pending: Pending, invalid: ValueError) -> None:
        """An answer that the schema allowed but the type's own validators refuse: the question is open again."""
        run = self.run
        run.store.reject(run.exec_id, run.journal.epoch, pending.call.call_id, str(invalid))
        self.refresh()
        pending.wait = self.known[pending.call.call_id]

    def _look_at_child(self, wait: WaitRecord) -> None:
        assert wait.child_exec_id is not None
        if self.run.store.status(wait.child_exec_id).is_finished:
            self.run.store.settle(self.run.exec_id, wait.call_id, WaitStatus.ANSWERED, by="child")
            wait.status = WaitStatus.ANSWERED

    def _child_record(self, pending: Pending) -> CallRecord:
        run = self.run
        assert pending.wait.child_exec_id is not None
        child = run.store.execution(pending.wait.child_exec_id)
        record = child_result(pending.call, child)
        run.commit([record])
        return record

    def may_suspend(self, pending: Pending) -> bool:
        """False while the runner should stay: an answer is hoped for, a sleep is short, a child runs right here."""
        lingers = self.run.runner.in_real_time
        if lingers and time.monotonic() < pending.hold_until:
            return False
        wait = pending.wait
        if wait.kind == WaitKind.TIMER:
            worth_staying = SHORT_SLEEP if lingers else 0.0
            return wait.due_at is None or wait.due_at - self.run.store.now() > worth_staying
        if wait.kind == WaitKind.CHILD and wait.child_exec_id is not None:
            return not self.run.runner.holds(wait.child_exec_id)
        return True

    def ask(self, pending: Pending) -> None:
        """Ask in the terminal, once, when there is one."""
        if self.prompt is None or pending.prompted or pending.wait.kind != WaitKind.INPUT:
            return
        pending.prompted = True
        if self.prompt(pending.wait):
            self.refresh()

    def seconds_to_next(self, pendings: list[Pending]) -> float:
        """How long to sleep before looking again."""
        dues = [p.wait.due_at for p in pendings if p.wait.due_at is not None]
        if not dues:
            return POLL_SECONDS
        return max(0.001, min(POLL_SECONDS, min(dues) - self.run.store.now()))


def child_result(call: Call, child: ExecutionRecord) -> CallRecord:
    """The record of a child's end in its parent's journal."""
    record = CallRecord(0, call.call_id, call.position, CallKind.CHILD_RESULT, call.name, "completed")
    record.started_at, record.ended_at = child.started_at, child.ended_at
    record.info = {"child": child.exec_id}
    if child.status is Status.COMPLETED:
        record.output = child.result
        return record
    failure = child.failure or {
        "message": "cancelled",
        "type": "Cancelled",
        "origin": FailureOrigin.CANCELLED,
    }
    record.status = "failed"
    record.error = {
        **(failure.get("error") or {"type": failure["type"], "message": failure["message"]}),
        "origin": failure["origin"],
        "child": child.exec_id,
    }
    return record


def wait_until_settled(
    run: Run, waits: Waits, pendings: list[Pending], ready: Callable[[], bool], active: Callable[[], int]
) -> None:
    """Block the flow's thread until ``ready``, recording what is settled meanwhile; or close the flow and raise
    ``Suspended`` when nothing is ``active`` and none of the ``pendings`` is worth staying for.
    """
    while True:
        run.check_open()
        waits.collect()
        if ready():
            return
        if not active():
            for pending in pendings:
                waits.ask(pending)
            waits.collect()
            if ready():
                return
            if all(waits.may_suspend(pending) for pending in pendings) and run.try_suspend():
                run.check_open()
        with run.changed:
            if run.signal is None and not ready():
                run.changed.wait(waits.seconds_to_next(pendings))
        waits.refresh()
