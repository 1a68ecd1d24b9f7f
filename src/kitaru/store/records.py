"""What the store keeps, as plain records: no behaviour, no SQL, no engine.

Times are seconds since the epoch (UTC) by the database's clock. JSON columns are ``dict`` here and text in the
database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

JsonDict = dict[str, Any]


class Status(StrEnum):
    """The life of an execution. One that no runner has taken yet is ``running`` without ``started_at``."""

    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        """True when nothing can happen to the execution any more, short of a retry."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)

    @property
    def is_successful(self) -> bool:
        """True when the execution ended with a result."""
        return self is Status.COMPLETED


class CallKind(StrEnum):
    """What a journalled call is."""

    CHECKPOINT = "checkpoint"
    WAIT = "wait"
    SLEEP = "sleep"
    VALUE = "value"
    CHILD = "child"
    CHILD_RESULT = "child_result"
    LOG = "log"
    LOAD = "load"
    MEMORY = "memory"


class WaitKind(StrEnum):
    """What a suspended execution may wait for."""

    INPUT = "input"
    TIMER = "timer"
    CHILD = "child"


class WaitStatus(StrEnum):
    """``pending`` until one of the others is committed, once and for ever."""

    PENDING = "pending"
    ANSWERED = "answered"
    ABORTED = "aborted"
    EXPIRED = "expired"
    CLOSED = "closed"


@dataclass(slots=True)
class Payload:
    """An encoded value where the store keeps it.

    ``data`` holds the bytes themselves (inline). When it is ``None`` they are found under ``digest``: in the table of
    blobs when ``location`` is ``"blob"``, in object storage when it is ``"object"``.
    ``preview`` is ``None`` when the data is its own preview.
    """

    digest: str
    codec: str
    size: int
    type: str
    media_type: str
    data: bytes | None
    preview: str | None = None
    location: str = "inline"


@dataclass(slots=True)
class Blob:
    """Bytes kept once under their digest: the parts of large values, and inputs too large to stand in a record."""

    digest: str
    data: bytes


@dataclass(slots=True)
class CallRecord:
    """One durable call that has ended: the unit of the journal.

    ``seq`` is the order of commits within the execution (1, 2, …), given by the one runner that holds the lease;
    ``position`` is the order in which the flow made its calls. ``inputs`` maps each parameter to the JSON form of its
    value. ``error`` is set when ``status`` is ``"failed"``. ``info`` holds what only people read: the type label,
    ``cached_from``, metadata.
    """

    seq: int
    call_id: str
    position: int
    kind: str
    name: str
    status: str
    attempts: int = 1
    inputs: JsonDict | None = None
    code_digest: str | None = None
    cache_key: str | None = None
    output: Payload | None = None
    error: JsonDict | None = None
    started_at: float | None = None
    ended_at: float | None = None
    info: JsonDict | None = None


@dataclass(slots=True)
class AttemptRecord:
    """An attempt of a call that failed and was followed, or will be, by another."""

    call_id: str
    attempt: int
    error: JsonDict
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(slots=True)
class IntentRecord:
    """An attempt of an effect starts now. Until it has an outcome, the effect may or may not have happened."""

    call_id: str
    attempt: int
    started_at: float


@dataclass(slots=True)
class ArtifactRecord:
    """A value that a checkpoint saved by name; a call's own output is read from its ``CallRecord``."""

    call_id: str
    ordinal: int
    name: str
    kind: str
    payload: Payload
    tags: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class SubcallRecord:
    """A model or tool call made inside a checkpoint's attempt: committed when it ends, whatever becomes of the attempt.

    ``child_id`` is ``<call_id>/<name>#<n>``; the values of the call are artifacts under it. Tokens are counts, and
    ``cost_usd`` is US dollars; what nobody knows is None, never 0.
    """

    child_id: str
    call_id: str
    attempt: int
    kind: str
    name: str
    status: str = "completed"
    parent_id: str | None = None
    provider: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    error: JsonDict | None = None
    info: JsonDict | None = None


@dataclass(slots=True)
class LinkRecord:
    """A call took a value from another execution: by ``load``, or from its ``cache``. ``source``: the artifact's id."""

    call_id: str
    kind: str
    source_exec_id: str
    source: str


@dataclass(slots=True)
class WaitRecord:
    """Something that an execution waits for. Written by the runner, settled by anybody, once."""

    call_id: str
    kind: str
    name: str
    question: str | None = None
    schema: JsonDict | None = None
    metadata: JsonDict | None = None
    created_at: float | None = None
    due_at: float | None = None
    child_exec_id: str | None = None
    status: str = WaitStatus.PENDING
    answer: Payload | None = None
    settled_at: float | None = None
    settled_by: str | None = None


@dataclass(slots=True)
class Append:
    """All that one commit adds to the journal of one execution; it is committed whole or not at all."""

    exec_id: str
    epoch: int
    calls: Sequence[CallRecord] = ()
    attempts: Sequence[AttemptRecord] = ()
    artifacts: Sequence[ArtifactRecord] = ()
    blobs: Sequence[Blob] = ()
    waits: Sequence[WaitRecord] = ()
    intents: Sequence[IntentRecord] = ()
    subcalls: Sequence[SubcallRecord] = ()
    links: Sequence[LinkRecord] = ()
    metadata: JsonDict | None = None


@dataclass(slots=True)
class NewExecution:
    """An execution to be created. ``lease_owner`` set: created as already held by that runner (epoch 1)."""

    exec_id: str
    flow_name: str
    flow_id: str
    spec: JsonDict
    inputs: JsonDict
    blobs: Sequence[Blob] = ()
    stack_name: str | None = None
    idempotency_key: str | None = None
    original_exec_id: str | None = None
    parent_exec_id: str | None = None
    parent_call_id: str | None = None
    launch_id: str | None = None
    launch_ordinal: int | None = None
    lease_owner: str | None = None
    lease_seconds: float = 30.0


@dataclass(slots=True)
class ExecutionRecord:
    """An execution's row."""

    exec_id: str
    flow_name: str
    flow_id: str
    status: Status
    spec: JsonDict
    inputs: JsonDict
    epoch: int
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    result: Payload | None = None
    failure: JsonDict | None = None
    metadata: JsonDict = field(default_factory=dict[str, Any])
    stack_name: str | None = None
    idempotency_key: str | None = None
    original_exec_id: str | None = None
    parent_exec_id: str | None = None
    parent_call_id: str | None = None
    launch_id: str | None = None
    launch_ordinal: int | None = None
    lease_owner: str | None = None
    lease_until: float | None = None
    ready: bool = False
    wake_at: float | None = None
    cancel_requested: bool = False
    takeovers: int = 0
    active_seconds: float = 0.0


@dataclass(slots=True)
class Created:
    """``created`` is False when the execution was there already (same id, or same flow and idempotency key)."""

    execution: ExecutionRecord
    created: bool


@dataclass(slots=True)
class Beat:
    """A heartbeat's answer for one execution."""

    held: bool
    cancel_requested: bool


@dataclass(slots=True)
class StartRecord:
    """A call that is running now, as far as was told: it serves people, not correctness."""

    exec_id: str
    call_id: str
    name: str
    kind: str
    attempt: int
    started_at: float
    progress: JsonDict | None = None


@dataclass(slots=True)
class LogRecord:
    """One line that a flow or a checkpoint printed or logged. ``stream``: ``stdout``, ``stderr`` or ``logging``."""

    exec_id: str
    call_id: str | None
    attempt: int
    at: float
    stream: str
    level: str
    logger: str | None
    message: str
    log_id: int | None = None


@dataclass(slots=True)
class Finish:
    """How an execution ends."""

    exec_id: str
    epoch: int
    status: Status
    result: Payload | None = None
    failure: JsonDict | None = None
    blobs: Sequence[Blob] = ()
    active_seconds: float = 0.0
    links: Sequence[LinkRecord] = ()
    """What the result came from, under an empty call id: ``part``, ``derived`` or ``result``; no other execution's."""


def payload_to_json(payload: Payload) -> JsonDict:
    """The JSON form of a payload, for the columns that hold several; bytes that are not text go as base64."""
    form: JsonDict = {"d": payload.digest, "c": payload.codec, "n": payload.size, "t": payload.type}
    form["m"] = payload.media_type
    if payload.data is not None:
        try:
            form["v"] = payload.data.decode()
        except UnicodeDecodeError:
            from base64 import b64encode

            form["b"] = b64encode(payload.data).decode()
    else:
        form["l"] = payload.location
    if payload.preview is not None:
        form["p"] = payload.preview
    return form


def payload_from_json(form: Mapping[str, Any]) -> Payload:
    """The payload that ``payload_to_json`` wrote."""
    data: bytes | None = None
    if "v" in form:
        data = form["v"].encode()
    elif "b" in form:
        from base64 import b64decode

        data = b64decode(form["b"])
    return Payload(
        digest=form["d"],
        codec=form["c"],
        size=form["n"],
        type=form["t"],
        media_type=form["m"],
        data=data,
        preview=form.get("p"),
        location=form.get("l", "inline"),
    )
