"""``client.executions``: reading executions."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitaru.backend import Backend
from kitaru.client import following, mapping, usage
from kitaru.client.bursts import one_burst
from kitaru.errors import KitaruStateError, KitaruUsageError
from kitaru.models import (
    ArtifactRef,
    CheckpointCall,
    Event,
    Execution,
    ExecutionDiff,
    ExecutionMoment,
    ExecutionPage,
    LogEntry,
    PendingWait,
    RunningCall,
)
from kitaru.redaction import redactor
from kitaru.store.records import ArtifactRecord, AttemptRecord, Status

if TYPE_CHECKING:
    from kitaru.client.synchronous import KitaruClient


def _utc(moment: datetime) -> datetime:
    """A moment without a time zone is one of UTC, wherever the machine stands."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _artifacts(call: CheckpointCall) -> builtins.list[ArtifactRef]:
    inner = [*call.llm_calls, *call.tool_calls]
    return [*call.artifacts, *(ref for one in inner for ref in one.artifacts)]


class Reading:
    """Reads executions."""

    def __init__(self, client: KitaruClient) -> None:
        self._client = client

    @property
    def _backend(self) -> Backend:
        return self._client._backend  # pyright: ignore[reportPrivateUsage]  # namespaces are the client's own parts

    def get(self, exec_id: str) -> Execution:
        """An execution with its calls, artifacts and open question.

        Raises:
            KitaruStateError: for an unknown id.
        """
        backend = self._backend
        execution = mapping.execution(backend, backend.store.execution(exec_id))
        with one_burst():
            calls = self._calls(exec_id)
        running = [] if execution.status.is_finished else self._running(exec_id)
        pending = [] if execution.status.is_finished else self.pending_waits(exec_id)
        full = execution.model_copy(
            update={
                "checkpoints": calls,
                "running_calls": running,
                "pending_wait": pending[0] if pending else None,
                "artifacts": [ref for call in calls for ref in _artifacts(call)],
                "saved_usd": usage.total(call.saved_usd for call in calls),
                **usage.usage_fields(backend.store.reads.usage([exec_id])[exec_id]),
            }
        )
        return self._bound(full)

    def _calls(self, exec_id: str) -> builtins.list[CheckpointCall]:
        store = self._backend.store
        saved: dict[str, builtins.list[ArtifactRecord]] = {}
        for item in store.reads.artifact_summaries(exec_id):
            saved.setdefault(item.call_id, []).append(item)
        attempts: dict[str, builtins.list[AttemptRecord]] = {}
        for attempt in store.attempts(exec_id):
            attempts.setdefault(attempt.call_id, []).append(attempt)
        under = usage.by_call(store.reads.subcalls(exec_id))
        found: builtins.list[CheckpointCall] = []
        for record in store.reads.call_summaries(exec_id):
            where = record.call_id
            call = mapping.call(self._backend, exec_id, record, saved.get(where, []), attempts.get(where, []))
            found.append(usage.with_subcalls(self._backend, exec_id, call, under.get(where, []), saved))
        return found

    def _running(self, exec_id: str) -> builtins.list[RunningCall]:
        return [
            RunningCall(
                call_id=start.call_id,
                name=start.name,
                attempt=start.attempt,
                started_at=started,
                progress=redactor.anything(start.progress),
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
        used = self._backend.store.reads.usage([record.exec_id for record in records])
        page = ExecutionPage(
            self._bound(
                mapping.execution(self._backend, r).model_copy(update=usage.usage_fields(used[r.exec_id]))
            )
            for r in records
        )
        page.cursor = following_page
        return page

    def cursor_after(self, exec_id: str) -> str:
        """The cursor of the page that begins behind an execution.

        Raises:
            KitaruStateError: for an unknown id.
        """
        return f"{self._backend.store.execution(exec_id).created_at!r}/{exec_id}"

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

    def at(self, exec_id: str, call: str) -> ExecutionMoment:
        """What was known when a call began: memory, completed calls with their outputs, open questions, cost.

        Raises:
            KitaruStateError: for an unknown execution or call, or a name that several calls have.
        """
        from kitaru.client.moments import moment

        return moment(self._backend, exec_id, call)

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

    def diff(self, id_a: str, id_b: str) -> ExecutionDiff:
        """Two executions side by side, call by call, by the digests of their values; no value is loaded.

        Raises:
            KitaruStateError: for an unknown id.

        Example:
            >>> # [call.call_id for call in client.executions.diff(a, b).calls if call.change == "changed"]
        """
        from kitaru.client.comparing import compare_executions

        return compare_executions(self._backend, id_a, id_b)
