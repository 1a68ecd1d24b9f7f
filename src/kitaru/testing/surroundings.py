"""What happens around a flow under test: waits are answered, time passes, and what is ready goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from kitaru.answers import answer
from kitaru.backend import Backend
from kitaru.errors import KitaruRuntimeError, KitaruStateError
from kitaru.flows import Flow
from kitaru.runners.entrypoint import Entrypoint, load_function
from kitaru.store.records import ExecutionRecord, Status, WaitKind, WaitRecord, WaitStatus

MANY = 1000

Answerer = Callable[[str, WaitRecord], tuple[bool, Any]]
"""Whether a wait of an execution is to be answered, and with what."""


@dataclass
class Surroundings:
    """Everything but the flow, on a backend whose runner spends no real time.

    ``advance`` sets the backend's clock forward by seconds.
    """

    backend: Backend
    flow: Flow[..., Any]
    answerer: Answerer
    advance: Callable[[float], None]

    def go_on(self, exec_id: str) -> None:
        """One round for an execution and its children: answer, or let time pass; then run what can run."""
        store = self.backend.store
        family = self._family(exec_id)
        if not self._runnable(family) and not self._answer(family):
            self._let_time_pass(family)
        for row in self._runnable(self._family(exec_id)):
            flow = self.flow if row.exec_id == exec_id else _flow_of(row)
            session = flow.go_on(row.exec_id)
            if session is not None:
                session.ended.wait()
                if session.storage_error is not None and store.status(row.exec_id) is Status.RUNNING:
                    raise session.storage_error

    def _family(self, exec_id: str) -> list[ExecutionRecord]:
        """The unfinished ones of the execution and its children, children last."""
        page, _ = self.backend.store.reads.executions(limit=MANY)
        family = {exec_id}
        found: list[ExecutionRecord] = []
        for row in reversed(page):
            if row.exec_id in family or row.parent_exec_id in family:
                family.add(row.exec_id)
                found.append(row)
        return [row for row in found if not row.status.is_finished]

    def _runnable(self, family: list[ExecutionRecord]) -> list[ExecutionRecord]:
        now = self.backend.store.now()
        return [
            row
            for row in family
            if row.ready
            or (row.status is Status.RUNNING and not self.backend.runner.holds(row.exec_id))
            or (row.wake_at is not None and row.wake_at <= now)
        ]

    def _open(self, family: list[ExecutionRecord]) -> list[tuple[ExecutionRecord, WaitRecord]]:
        return [
            (row, wait)
            for row in family
            for wait in self.backend.store.waits(row.exec_id)
            if wait.status == WaitStatus.PENDING and wait.kind == WaitKind.INPUT
        ]

    def _answer(self, family: list[ExecutionRecord]) -> bool:
        answered = False
        for row, wait in self._open(family):
            given, value = self.answerer(row.exec_id, wait)
            if given:
                answer(self.backend.store, self.backend.vault, row.exec_id, wait, value, "kitaru.testing")
                answered = True
        return answered

    def _let_time_pass(self, family: list[ExecutionRecord]) -> None:
        dues = [row.wake_at for row in family if row.wake_at is not None]
        if dues:
            self.advance(max(0.0, min(dues) - self.backend.store.now()))
            return
        waits = self._open(family)
        if waits:
            named = ", ".join(f'"{wait.name}": …' for _, wait in waits)
            raise KitaruStateError(f"The flow waits for an answer. Give it: answers={{{named}}}.")
        ids = ", ".join(row.exec_id for row in family) or "no execution"
        raise KitaruStateError(f"The flow has not ended, and nothing can happen any more: {ids} waits.")


def _flow_of(row: ExecutionRecord) -> Flow[..., Any]:
    found = load_function(Entrypoint.from_json(row.spec["entrypoint"]))
    if not isinstance(found, Flow):
        raise KitaruRuntimeError(f"Flow {row.flow_name!r} of child {row.exec_id} cannot be found again.")
    return cast("Flow[..., Any]", found)
