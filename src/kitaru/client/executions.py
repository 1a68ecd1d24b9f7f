"""``client.executions``: reading executions and steering them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitaru.answers import answer
from kitaru.backend import Backend
from kitaru.client import following, mapping
from kitaru.errors import KitaruContextError, KitaruStateError, KitaruUsageError
from kitaru.models import (
    Event,
    Execution,
    ExecutionDiff,
    ExecutionPage,
    LogEntry,
    PendingWait,
    PreflightResult,
    RunningCall,
)
from kitaru.replays import check_replay_options, new_replay
from kitaru.runners import local
from kitaru.runtime import current_execution_id
from kitaru.starting import new_exec_id, owner_of, refuse_running
from kitaru.store.records import ArtifactRecord, AttemptRecord, ExecutionRecord, Status, WaitKind, WaitRecord

if TYPE_CHECKING:
    from kitaru.client.synchronous import KitaruClient


ALL = 1_000_000


def _utc(moment: datetime) -> datetime:
    """A moment without a time zone is one of UTC, wherever the machine stands."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


class Executions:
    """Reads executions, and answers, resumes, retries, cancels and replays them."""

    def __init__(self, client: KitaruClient) -> None:
        self._client = client

    @property
    def _backend(self) -> Backend:
        return self._client._backend  # pyright: ignore[reportPrivateUsage]  # namespaces are the client's own parts

    # ---------------------------------------------------------------- reading

    def get(self, exec_id: str) -> Execution:
        """An execution with its calls, artifacts and open question.

        Raises:
            KitaruStateError: for an unknown id.
        """
        backend = self._backend
        execution = mapping.execution(backend, backend.store.execution(exec_id))
        saved: dict[str, list[ArtifactRecord]] = {}
        for item in backend.store.artifacts(exec_id):
            saved.setdefault(item.call_id, []).append(item)
        attempts: dict[str, list[AttemptRecord]] = {}
        for attempt in backend.store.attempts(exec_id):
            attempts.setdefault(attempt.call_id, []).append(attempt)
        calls = [
            mapping.call(backend, exec_id, c, saved.get(c.call_id, []), attempts.get(c.call_id, []))
            for c in backend.store.reads.call_summaries(exec_id)
        ]
        running = [] if execution.status.is_finished else self._running(exec_id)
        pending = [] if execution.status.is_finished else self.pending_waits(exec_id)
        full = execution.model_copy(
            update={
                "checkpoints": calls,
                "running_calls": running,
                "pending_wait": pending[0] if pending else None,
                "artifacts": [ref for call in calls for ref in call.artifacts],
            }
        )
        return self._bound(full)

    def _running(self, exec_id: str) -> builtins.list[RunningCall]:
        return [
            RunningCall(
                call_id=start.call_id,
                name=start.name,
                attempt=start.attempt,
                started_at=started,
                progress=start.progress,
            )
            for start in self._backend.store.reads.starts(exec_id)
            if (started := mapping.moment(start.started_at)) is not None
        ]

    def _bound(self, execution: Execution) -> Execution:
        execution._client = self._client  # pyright: ignore[reportPrivateUsage]  # models are handed their client
        return execution

    def list(
        self,
        flow: str | None = None,
        status: str | None = None,
        stack: str | None = None,
        since: datetime | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> ExecutionPage:
        """Executions, newest first, without their calls; ``.cursor`` of the page gives the next one.

        ``since`` without a time zone is taken as UTC.

        Raises:
            KitaruUsageError: for an unknown status, or a limit below 1.
        """
        if status is not None and status not in builtins.list(Status):
            raise KitaruUsageError(f"There is no status {status!r}; there are: {', '.join(Status)}.")
        if limit < 1:
            raise KitaruUsageError(f"limit is 1 or more, not {limit}.")
        records, following_page = self._backend.store.reads.executions(
            flow=flow,
            status=status,
            stack=stack,
            since=None if since is None else _utc(since).timestamp(),
            limit=limit,
            cursor=cursor,
        )
        page = ExecutionPage(self._bound(mapping.execution(self._backend, r)) for r in records)
        page.cursor = following_page
        return page

    def latest(self, flow: str | None = None) -> Execution:
        """The newest execution (of a flow), with its calls.

        Raises:
            KitaruStateError: when there is none.
        """
        page = self.list(flow=flow, limit=1)
        if not page:
            of = f" of flow {flow!r}" if flow else ""
            raise KitaruStateError(f"There is no execution{of} yet. Start one with `kitaru run MODULE:FLOW`.")
        return self.get(page[0].exec_id)

    def logs(
        self, exec_id: str, checkpoint: str | None = None, limit: int | None = None, follow: bool = False
    ) -> Iterator[LogEntry]:
        """Log lines, oldest first; of one checkpoint by its name or a call id. ``follow``: until the execution ends.

        Raises:
            KitaruStateError: for an unknown execution.
        """
        self._backend.store.status(exec_id)
        return following.logs(self._backend.store, exec_id, checkpoint, limit, follow)

    def events(self, exec_id: str) -> Iterator[Event]:
        """What happens to an execution, from its first call on, as it happens; ends when the execution ends.

        Raises:
            KitaruStateError: for an unknown execution.
        """
        self._backend.store.status(exec_id)
        return following.events(self._backend.store, exec_id)

    def statistics(self, group_by: str = "flow") -> builtins.list[dict[str, Any]]:
        """Counts, mean durations (seconds), tokens and cost (US dollars) by ``flow``, ``status``, ``day`` (UTC) or
        ``stack``; by ``model``: tokens and cost alone.

        ``cost_usd`` sums the calls whose price is known (None: of none it is), ``unpriced_calls`` counts the others.
        What was answered from a journal cost nothing again.

        Raises:
            KitaruUsageError: for another grouping.
        """
        if group_by not in ("flow", "model", "status", "day", "stack"):
            raise KitaruUsageError(f"group_by takes flow, model, status, day or stack, not {group_by!r}.")
        return self._backend.store.reads.statistics(group_by)

    def pending_waits(self, exec_id: str | None = None) -> builtins.list[PendingWait]:
        """The open questions of an execution; of all executions when none is named."""
        if exec_id is not None:
            self._backend.store.status(exec_id)
        return [mapping.wait(owner, w) for owner, w in self._backend.store.reads.pending_waits(exec_id)]

    # ---------------------------------------------------------------- steering

    def input(self, exec_id: str, wait: str | None = None, value: Any = None) -> Execution:
        """Answer a pending wait; the execution then goes on by itself.

        Args:
            exec_id: the execution.
            wait: the wait's name or id; may be left out where only one is pending.
            value: the answer.

        Raises:
            KitaruWaitValidationError: when the value does not match the schema; the execution goes on waiting.
            KitaruStateError: when nothing is pending, it was answered already, or ``wait`` is needed and missing.
            KitaruRuntimeError: when the answer is stored but no other process can go on with the flow.
        """
        pending = self._pending(exec_id, wait)
        answer(self._backend.store, self._backend.vault, exec_id, pending, value, "client")
        return self._wake(exec_id)

    def abort_wait(self, exec_id: str, wait: str | None = None) -> Execution:
        """End a pending wait without an answer: the flow gets a ``KitaruExecutionError`` there."""
        pending = self._pending(exec_id, wait)
        if not self._backend.store.settle(exec_id, pending.call_id, "aborted", by="client"):
            raise KitaruStateError(f"Wait {pending.name!r} of execution {exec_id} was settled already.")
        return self._wake(exec_id)

    def _pending(self, exec_id: str, name: str | None) -> WaitRecord:
        self._refuse_in_flow()
        row = self._backend.store.execution(exec_id)
        if row.status.is_finished:
            raise KitaruStateError(
                f"Execution {exec_id} is {row.status.value}: there is nothing left to answer."
            )
        waits = [w for w in self._backend.store.waits(exec_id) if w.kind == WaitKind.INPUT]
        pending = [w for w in waits if w.status == "pending" and name in (None, w.name, w.call_id)]
        if len(pending) == 1:
            return pending[0]
        if len(pending) > 1:
            raise KitaruStateError(
                f"Execution {exec_id} has {len(pending)} open waits: {', '.join(w.call_id for w in pending)}. Name one "
                f"with --wait (wait= in Python)."
            )
        if any(name in (None, w.name, w.call_id) for w in waits):
            raise KitaruStateError(
                f"Execution {exec_id} has no open wait{f' {name!r}' if name else ''} any more: it was answered "
                "already; the first answer counts."
            )
        known = ", ".join(w.name for w in waits) or "none"
        raise KitaruStateError(f"Execution {exec_id} has no wait {name or ''!r}. Its waits: {known}.")

    def _wake(self, exec_id: str) -> Execution:
        row = self._backend.store.execution(exec_id)
        nobody_runs_it = row.status is Status.RUNNING and owner_of(self._backend, row) is None
        if nobody_runs_it or exec_id in self._backend.store.wakeable(limit=ALL):
            self._launch(row)
        return self.get(exec_id)

    def _launch(self, row: ExecutionRecord) -> None:
        local.launch(self._backend.store, row, self._backend.objects_url)

    def resume(self, exec_id: str) -> Execution:
        """Go on with an execution whose runner died, or whose wait was answered, in a detached local runner.

        Raises:
            KitaruStateError: when it has finished, is running, or waits for something.
            KitaruRuntimeError: when no other process can go on with the flow.
        """
        self._refuse_in_flow()
        row = self._backend.store.execution(exec_id)
        if row.status.is_finished:
            what = "retry" if row.status in (Status.FAILED, Status.CANCELLED) else "replay"
            raise KitaruStateError(
                f"Execution {exec_id} is {row.status.value}. To run it again: `kitaru executions {what} {exec_id}`."
            )
        if row.status is Status.RUNNING:
            refuse_running(self._backend, row)
        elif exec_id not in self._backend.store.wakeable(limit=ALL):
            raise KitaruStateError(self._what_it_waits_for(row))
        # A database that cannot be written is told here, and not in the runner's log alone.
        self._backend.store.merge_metadata(exec_id, {})
        launched_at = self._backend.store.now()
        self._launch(row)
        following.until_taken(self._backend.store, row, launched_at)
        return self.get(exec_id)

    def _what_it_waits_for(self, row: ExecutionRecord) -> str:
        pending = [w for w in self._backend.store.waits(row.exec_id) if w.status == "pending"]
        questions = [w.name for w in pending if w.kind == WaitKind.INPUT]
        if questions:
            return (
                f"Execution {row.exec_id} waits for {', '.join(map(repr, questions))}. Answer with "
                f"`kitaru executions input {row.exec_id} --value JSON`; it then goes on by itself."
            )
        children = [w.child_exec_id for w in pending if w.child_exec_id]
        if children:
            return f"Execution {row.exec_id} waits for its child {children[0]}, and goes on by itself when that ends."
        return (
            f"Execution {row.exec_id} sleeps until {mapping.moment(row.wake_at)}, and goes on by itself then."
        )

    def retry(self, exec_id: str) -> Execution:
        """Run a failed or cancelled execution again, in a detached local runner. What completed stays; only the
        failures that ended it run again.

        Raises:
            KitaruStateError: when it did not fail.
            KitaruRuntimeError: when no other process can go on with the flow.
        """
        self._refuse_in_flow()
        row = self._backend.store.execution(exec_id)
        if row.status not in (Status.FAILED, Status.CANCELLED):
            more = " See `kitaru executions resume`." if row.status is Status.RUNNING else ""
            raise KitaruStateError(
                f"Execution {exec_id} is {row.status.value}; only a failed or cancelled one can be retried.{more}"
            )
        local.check(row)
        self._launch(self._backend.store.reopen(exec_id, (row.failure or {}).get("calls", [])))
        return self.get(exec_id)

    def cancel(self, exec_id: str) -> Execution:
        """Cancel: a running checkpoint is told, a waiting execution ends at once; children too.

        Raises:
            KitaruStateError: when it has finished already.
        """
        self._refuse_in_flow()
        backend = self._backend
        row = backend.store.execution(exec_id)
        if row.status.is_finished:
            raise KitaruStateError(f"Execution {exec_id} is {row.status.value} already.")
        backend.store.request_cancel(exec_id, dead_owner=backend.runner.dead_owner(row))
        if row.parent_exec_id is not None:
            self._wake(row.parent_exec_id)
        return self.get(exec_id)

    def replay(
        self,
        exec_id: str,
        from_: str | None = None,
        overrides: dict[str, Any] | None = None,
        effects: str | None = None,
        memory: str | None = None,
        **inputs: Any,
    ) -> Execution:
        """Run an execution again as a new one, in a detached local runner; see ``Flow.replay``.

        Raises:
            KitaruStateError: for an unknown id, or a selector that means no call or several.
            KitaruUsageError: for an unknown override or input.
        """
        self._refuse_in_flow()
        plan_effects = check_replay_options(effects, memory)
        backend = self._backend
        local.check(backend.store.execution(exec_id))
        new = new_replay(
            backend.store, backend.vault, exec_id, new_exec_id(), from_, overrides, inputs, plan_effects
        )
        self._launch(backend.store.create(new).execution)
        return self.get(new.exec_id)

    def diff(self, id_a: str, id_b: str) -> ExecutionDiff:
        """Two executions side by side, call by call, by the digests of their values; no value is loaded.

        Raises:
            KitaruStateError: for an unknown id.

        Example:
            >>> # [call.call_id for call in client.executions.diff(a, b).calls if call.change == "changed"]
        """
        from kitaru.client.comparing import compare_executions

        return compare_executions(self._backend, id_a, id_b)

    def preflight(self, flow: str | None = None, timeout: float = 60.0) -> builtins.list[PreflightResult]:
        """Before a deploy: what the code as it stands now would do with every running or waiting execution.

        Each is run against its journal in a process of its own. No checkpoint's body runs and nothing is written; what
        a flow's body does outside of checkpoints is done.

        Args:
            flow: only executions of this flow.
            timeout: seconds for each.

        Example:
            >>> # assert all(result.is_safe for result in KitaruClient().executions.preflight())
        """
        from kitaru.client.preflight import preflight

        return preflight(self._backend, flow, timeout)

    def sweep(self) -> None:
        """Launch what is ready or due and was not launched, for example because who answered died before it could, and
        see to it that a timer process serves those that sleep.
        """
        store = self._backend.store
        local.launch_all(store, store.wakeable(), self._backend.objects_url)
        if store.next_wake() is not None:
            local.ensure_timer(store.url, self._backend.objects_url)

    @staticmethod
    def _refuse_in_flow() -> None:
        if current_execution_id() is not None:
            raise KitaruContextError(
                "The client was used to change an execution from inside a flow, where a resume would do it again. "
                "Do it from outside; to start or wait for another flow use its .run() in the flow's body."
            )
