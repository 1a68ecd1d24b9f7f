"""What the client returns: frozen models, light enough for long lists. Values are loaded only when asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr

__all__ = [
    "ArtifactDiff",
    "ArtifactRef",
    "Attempt",
    "CallDiff",
    "CheckpointCall",
    "Event",
    "Execution",
    "ExecutionDiff",
    "ExecutionPage",
    "ExecutionStatus",
    "Failure",
    "LogEntry",
    "PendingWait",
    "PreflightResult",
    "RunningCall",
    "ValueChange",
    "ValueDiff",
]


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


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Failure(_Model):
    """Why an execution, or an attempt, failed.

    Attributes:
        origin: where it was raised: ``user_code``, ``timeout``, ``divergence``, …
        type: the exception's class.
        message: its text.
        traceback: where it was raised, as text.
        calls: the failed calls in its chain of causes.
    """

    origin: str
    type: str
    message: str
    traceback: str | None = None
    calls: list[str] = []


class ArtifactRef(_Model):
    """A value that a run kept. ``.load()`` reads it.

    Attributes:
        kind: what it is: ``input``, ``output``, or the ``type`` that ``save`` was given.
        type: the Python type's name.
        digest: equal values have equal digests.
        size: bytes.
        producing_call: the call that made it; None for a flow's input.
        preview: the first 2 KiB as text.
    """

    artifact_id: str
    name: str
    kind: str
    type: str
    digest: str
    size: int
    media_type: str
    producing_call: str | None
    exec_id: str
    preview: str | None = None
    tags: list[str] = []
    _loader: Callable[[], Any] | None = PrivateAttr(default=None)

    def load(self) -> Any:
        """The value.

        Raises:
            KitaruStateError: when this reference was not made by a client.
            KitaruBackendError: when its bytes are gone or damaged.
        """
        if self._loader is None:
            from kitaru.errors import KitaruStateError

            raise KitaruStateError(
                "This ArtifactRef has no client. Get it with KitaruClient().artifacts.get(id)."
            )
        return self._loader()


class Attempt(_Model):
    """An attempt of a call that failed."""

    attempt: int
    failure: Failure
    started_at: datetime | None
    ended_at: datetime | None


class CheckpointCall(_Model):
    """One call of the journal: a checkpoint, a wait, a sleep, a child.

    Attributes:
        call_id: its identity, for example ``fetch#1``.
        kind: ``checkpoint``, ``wait``, ``sleep``, ``value``, ``child``, ``child_result`` or ``log``.
        type: the checkpoint's label.
        attempts: how many attempts there were; ``failed_attempts`` has those that failed before the last.
        artifacts: the return value first, then what was saved.
        cached_from: ``execution/call`` whose record answered this call.
    """

    call_id: str
    name: str
    kind: str
    type: str | None
    status: str
    attempts: int
    failed_attempts: list[Attempt] = []
    failure: Failure | None
    artifacts: list[ArtifactRef]
    inputs: dict[str, ArtifactRef]
    cached_from: str | None
    started_at: datetime | None
    ended_at: datetime | None
    metadata: dict[str, Any]
    llm_calls: list[dict[str, Any]] = []
    cost_usd: float | None = None


class RunningCall(_Model):
    """A call that runs now, as far as was told."""

    call_id: str
    name: str
    attempt: int
    started_at: datetime
    progress: dict[str, Any] | None = None


with warnings.catch_warnings():
    # The field's name is promised; it hides only a method that pydantic has retired.
    warnings.simplefilter("ignore", UserWarning)

    class PendingWait(_Model):
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


class LogEntry(_Model):
    """One line that a flow or a checkpoint printed or logged."""

    log_id: int
    at: datetime
    call_id: str | None
    attempt: int
    stream: str
    level: str
    logger: str | None
    message: str


class Event(_Model):
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


class Execution(_Model):
    """An execution. ``checkpoints`` and ``artifacts`` are filled by ``get``, empty in lists."""

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


class PreflightResult(_Model):
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


class ValueDiff(_Model):
    """A value on both sides: an input, an output, a result. ``same``: its digests are equal."""

    name: str
    same: bool
    a: ArtifactRef | None
    b: ArtifactRef | None


class CallDiff(_Model):
    """A call on both sides.

    Attributes:
        change: ``same``; ``reused``: one side took the other's record; ``changed``; ``only_a`` or ``only_b``.
        a: the call of the first execution; its durations, attempts and failure stand beside those of ``b``.
    """

    call_id: str
    name: str
    change: str
    a: CheckpointCall | None
    b: CheckpointCall | None
    inputs: list[ValueDiff] = []
    output: ValueDiff | None = None


class ExecutionDiff(_Model):
    """Two executions side by side; calls in the order of the first, then those of the second alone."""

    a: Execution
    b: Execution
    inputs: list[ValueDiff]
    calls: list[CallDiff]
    result: ValueDiff


class ValueChange(_Model):
    """One place where two structures differ.

    Attributes:
        path: where, from ``root``.
        kind: ``values_changed``, ``type_changes``, ``dictionary_item_added``, ``iterable_item_removed``, …
        before: the first side's part as JSON types; None where there is none.
    """

    path: str
    kind: str
    before: Any = None
    after: Any = None


class ArtifactDiff(_Model):
    """Two artifacts side by side.

    Attributes:
        kind: ``same``, ``structure`` (see ``changes``), ``text`` (see ``text``, a unified diff) or ``bytes`` (see the
            sizes and digests of ``a`` and ``b``).
    """

    a: ArtifactRef
    b: ArtifactRef
    kind: str
    changes: list[ValueChange] = []
    text: str | None = None
