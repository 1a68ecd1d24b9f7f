"""Executions, and what can be seen of them."""

from __future__ import annotations

import warnings
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import PrivateAttr

from kitaru.models.artifacts import ArtifactRef
from kitaru.models.base import Failure, Model
from kitaru.models.calls import CheckpointCall, RunningCall


class ExecutionStatus(StrEnum):
    """The life of an execution; one that no runner has taken yet is ``running`` with ``started_at`` empty."""

    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        """True when nothing happens any more, short of a retry."""
        return self not in (ExecutionStatus.RUNNING, ExecutionStatus.WAITING)

    @property
    def is_successful(self) -> bool:
        """True when it ended with a result."""
        return self is ExecutionStatus.COMPLETED


with warnings.catch_warnings():
    # The field's name is promised; it hides only a method that pydantic has retired.
    warnings.simplefilter("ignore", UserWarning)

    class PendingWait(Model):
        """An open question.

        Attributes:
            wait_id: the call's id, for example ``approve#1``.
            schema: the JSON schema that an answer must match; None: no value is needed.
        """

        wait_id: str
        name: str
        question: str | None
        schema: dict[str, Any] | None  # pyright: ignore[reportIncompatibleMethodOverride]  # see above
        metadata: dict[str, Any] | None
        entered_waiting_at: datetime | None
        expires_at: datetime | None
        exec_id: str


class LogEntry(Model):
    """One line that a flow or a checkpoint printed or logged."""

    log_id: int
    at: datetime
    call_id: str | None
    attempt: int
    stream: str
    level: str
    logger: str | None
    message: str


class Event(Model):
    """Something that happened to an execution.

    Attributes:
        kind: ``call_started``, ``call_progress``, ``call_ended``, ``waiting``, ``log`` or ``status``.
    """

    kind: str
    exec_id: str
    at: datetime
    call_id: str | None = None
    name: str | None = None
    status: str | None = None
    detail: dict[str, Any] = {}


class Execution(Model):
    """An execution. ``checkpoints`` and ``artifacts`` are filled by ``get``, empty in lists.

    Attributes:
        cost_usd: what the model calls of this execution and of all that it started cost, in US dollars, as far as
            prices are known; None where there are calls and none is priced.
        tokens: their tokens, in and out.
        unpriced_calls: how many of them have no known price.
        saved_usd: what the calls that were answered from another execution's record had cost; filled by ``get``.
    """

    exec_id: str
    flow_name: str
    flow_id: str
    status: ExecutionStatus
    stack_name: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    metadata: dict[str, Any]
    inputs: dict[str, ArtifactRef]
    result: ArtifactRef | None
    checkpoints: list[CheckpointCall] = []
    running_calls: list[RunningCall] = []
    pending_wait: PendingWait | None = None
    failure: Failure | None
    artifacts: list[ArtifactRef] = []
    original_exec_id: str | None
    parent_exec_id: str | None
    cost_usd: float | None = None
    tokens: int | None = None
    unpriced_calls: int = 0
    saved_usd: float | None = None
    spec: dict[str, Any]
    _client: Any = PrivateAttr(default=None)

    def _executions(self) -> Any:
        if self._client is None:
            from kitaru.errors import KitaruStateError

            raise KitaruStateError(
                "This Execution has no client. Get it with KitaruClient().executions.get(id)."
            )
        return self._client.executions

    def refresh(self) -> Execution:
        """The execution as it is now."""
        return self._executions().get(self.exec_id)

    def retry(self) -> Execution:
        """Run a failed execution again from what is recorded."""
        return self._executions().retry(self.exec_id)

    def resume(self) -> Execution:
        """Go on with an execution whose runner died."""
        return self._executions().resume(self.exec_id)

    def cancel(self) -> Execution:
        """Cancel."""
        return self._executions().cancel(self.exec_id)

    def replay(
        self, from_: str | None = None, overrides: dict[str, Any] | None = None, **inputs: Any
    ) -> Execution:
        """Run it again as a new execution."""
        return self._executions().replay(self.exec_id, from_, overrides, **inputs)

    def list_checkpoints(self) -> list[CheckpointCall]:
        """The calls, in the order in which the flow made them."""
        return self.checkpoints or self.refresh().checkpoints

    def list_artifacts(self) -> list[ArtifactRef]:
        """All artifacts of the execution."""
        return self.artifacts or self.refresh().artifacts


class ExecutionPage(list[Execution]):
    """A list of executions, newest first, with the cursor of the next page (None at the end)."""

    cursor: str | None = None


class PreflightResult(Model):
    """What the code as it stands now would do with an open execution.

    Attributes:
        verdict: ``goes_on``: as recorded. ``new_calls``: it makes ``new_calls`` before it comes to where it was.
            ``diverges``: a recorded call is another one now. ``fails``: the flow's body raises. ``cannot_load``: the
            flow cannot be found. ``timed_out``: it did not come to an end within the deadline.
        reason: why, when it does not go on.
        new_calls: calls that it makes and the journal does not hold.
        dropped_calls: recorded calls that it makes no more.
        open_waits: the open waits that it comes to again.
    """

    exec_id: str
    flow_name: str
    status: ExecutionStatus
    verdict: str
    reason: str | None = None
    new_calls: list[str] = []
    dropped_calls: list[str] = []
    open_waits: list[str] = []

    @property
    def is_safe(self) -> bool:
        """True when the execution goes on, with or without new calls."""
        return self.verdict in ("goes_on", "new_calls")
