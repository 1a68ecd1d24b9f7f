"""Records as rows, and back. The order of the columns here is the one that the statements name them in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json as encode_json

from kitaru.store.records import (
    ArtifactRecord,
    AttemptRecord,
    CallRecord,
    ExecutionRecord,
    IntentRecord,
    LinkRecord,
    LogRecord,
    Payload,
    StartRecord,
    Status,
    SubcallRecord,
    WaitRecord,
)

Row = Sequence[Any]

PAYLOAD = ("digest", "codec", "size", "type", "media_type", "data", "preview", "location")

_NO_PAYLOAD = (None,) * len(PAYLOAD)


def _columns(names: str, prefix: str = "", *, data: bool = True) -> str:
    """Names with ``*`` replaced by the columns of a payload; ``data=False``: bytes only where they are the preview."""
    columns = [f"{prefix}{part}" for part in PAYLOAD]
    if not data:
        columns[PAYLOAD.index("data")] = f"CASE WHEN {prefix}preview IS NULL THEN {prefix}data END"
    return names.replace("*", ", ".join(columns))


_CALL = (
    "seq, call_id, position, kind, name, status, attempts, inputs, code_digest, cache_key, *, error, started_at, "
    "ended_at, info"
)
CALL_COLUMNS = _columns(_CALL, "output_")
SLIM_CALL_COLUMNS = _columns(_CALL, "output_", data=False)

_EXECUTION = (
    "exec_id, flow_name, flow_id, status, spec, inputs, epoch, created_at, started_at, ended_at, *, failure, "
    "metadata, stack_name, idempotency_key, original_exec_id, parent_exec_id, parent_call_id, launch_id, "
    "launch_ordinal, lease_owner, lease_until, ready, wake_at, cancel_requested, takeovers, active_seconds"
)
EXECUTION_COLUMNS = _columns(_EXECUTION, "result_")
SLIM_EXECUTION_COLUMNS = _columns(_EXECUTION, "result_", data=False)

WAIT_COLUMNS = _columns(
    "call_id, kind, name, question, schema, metadata, created_at, due_at, child_exec_id, status, *, settled_at, "
    "settled_by",
    "answer_",
)
ATTEMPT_COLUMNS = "call_id, attempt, error, started_at, ended_at"
INTENT_COLUMNS = "call_id, attempt, started_at"
_ARTIFACT = "call_id, ordinal, name, kind, *, tags"
ARTIFACT_COLUMNS = _columns(_ARTIFACT)
SLIM_ARTIFACT_COLUMNS = _columns(_ARTIFACT, data=False)
SUBCALL_COLUMNS = (
    "child_id, call_id, attempt, kind, name, status, parent_id, provider, model, input_tokens, output_tokens, "
    "cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd, started_at, ended_at, error, info"
)
LINK_COLUMNS = "call_id, kind, source_exec_id, source"
START_COLUMNS = "exec_id, call_id, name, kind, attempt, started_at, progress"
LOG_COLUMNS = "exec_id, call_id, attempt, at, stream, level, logger, message"
RESULT_COLUMNS = tuple(f"result_{part}" for part in PAYLOAD)
ANSWER_COLUMNS = tuple(f"answer_{part}" for part in PAYLOAD)

_encode_ascii = json.JSONEncoder(separators=(",", ":")).encode
_scan = json.JSONDecoder().raw_decode


def to_json(value: object) -> str | None:
    """JSON text; None for None."""
    if value is None:
        return None
    try:
        return encode_json(value, inf_nan_mode="constants").decode()
    except ValueError:
        # A lone surrogate: JSON can say it, UTF-8 cannot.
        return _encode_ascii(value)


def readable(text: str | None) -> str | None:
    """Text that only people read, such that every database takes it: no NUL, and no lone surrogate."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "␀").encode(errors="backslashreplace").decode()


def payload_row(payload: Payload | None) -> tuple[Any, ...]:
    """The columns of a payload."""
    if payload is None:
        return _NO_PAYLOAD
    return (
        payload.digest,
        payload.codec,
        payload.size,
        payload.type,
        payload.media_type,
        payload.data,
        readable(payload.preview),
        payload.location,
    )


def call_row(exec_id: str, call: CallRecord) -> tuple[Any, ...]:
    """``exec_id`` and ``CALL_COLUMNS``."""
    return (
        exec_id,
        call.seq,
        call.call_id,
        call.position,
        call.kind,
        call.name,
        call.status,
        call.attempts,
        to_json(call.inputs),
        call.code_digest,
        call.cache_key,
        *payload_row(call.output),
        to_json(call.error),
        call.started_at,
        call.ended_at,
        to_json(call.info),
    )


def attempt_row(exec_id: str, attempt: AttemptRecord) -> tuple[Any, ...]:
    """``exec_id`` and ``ATTEMPT_COLUMNS``."""
    error = to_json(attempt.error)
    return (exec_id, attempt.call_id, attempt.attempt, error, attempt.started_at, attempt.ended_at)


def intent_row(exec_id: str, intent: IntentRecord) -> tuple[Any, ...]:
    """``exec_id`` and ``INTENT_COLUMNS``."""
    return (exec_id, intent.call_id, intent.attempt, intent.started_at)


def subcall_row(exec_id: str, subcall: SubcallRecord) -> tuple[Any, ...]:
    """``exec_id`` and ``SUBCALL_COLUMNS``."""
    values = [getattr(subcall, name) for name in SUBCALL_COLUMNS.split(", ")]
    return (exec_id, *values[:-2], to_json(subcall.error), to_json(subcall.info))


def link_row(exec_id: str, link: LinkRecord) -> tuple[Any, ...]:
    """``exec_id`` and ``LINK_COLUMNS``."""
    return (exec_id, link.call_id, link.kind, link.source_exec_id, link.source)


def artifact_row(exec_id: str, artifact: ArtifactRecord) -> tuple[Any, ...]:
    """``exec_id`` and ``ARTIFACT_COLUMNS``."""
    return (
        exec_id,
        artifact.call_id,
        artifact.ordinal,
        artifact.name,
        artifact.kind,
        *payload_row(artifact.payload),
        to_json(artifact.tags or None),
    )


def wait_row(exec_id: str, wait: WaitRecord) -> tuple[Any, ...]:
    """``exec_id`` and ``WAIT_COLUMNS``."""
    return (
        exec_id,
        wait.call_id,
        wait.kind,
        wait.name,
        readable(wait.question),
        to_json(wait.schema),
        to_json(wait.metadata),
        wait.created_at,
        wait.due_at,
        wait.child_exec_id,
        wait.status,
        *payload_row(wait.answer),
        wait.settled_at,
        wait.settled_by,
    )


def log_row(log: LogRecord) -> tuple[Any, ...]:
    """``LOG_COLUMNS``."""
    return (
        log.exec_id,
        log.call_id,
        log.attempt,
        log.at,
        log.stream,
        log.level,
        readable(log.logger),
        readable(log.message),
    )


def start_row(start: StartRecord) -> tuple[Any, ...]:
    """``START_COLUMNS``."""
    return (
        start.exec_id,
        start.call_id,
        start.name,
        start.kind,
        start.attempt,
        start.started_at,
        to_json(start.progress),
    )


def _decode(text: str) -> Any:
    # What ``to_json`` wrote has nothing before or behind it, which ``decode`` would look for.
    return _scan(text)[0]


def _json(text: str | None) -> Any:
    return None if text is None else _decode(text)


def to_payload(columns: Row) -> Payload | None:
    """A payload from its columns."""
    return None if columns[0] is None else Payload(*columns)


def to_call(row: Row) -> CallRecord:
    """A call from ``CALL_COLUMNS``."""
    inputs, error, info = row[7], row[18], row[21]
    return CallRecord(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        None if inputs is None else _decode(inputs),
        row[8],
        row[9],
        None if row[10] is None else Payload(*row[10:18]),
        None if error is None else _decode(error),
        row[19],
        row[20],
        None if info is None else _decode(info),
    )


def to_execution(row: Row) -> ExecutionRecord:
    """An execution from ``EXECUTION_COLUMNS``."""
    values: list[Any] = [*row[:10], to_payload(row[10:18]), *row[18:]]
    record = ExecutionRecord(*values)
    record.status = Status(record.status)
    record.spec = _decode(row[4])
    record.inputs = _decode(row[5])
    record.failure = _json(row[18])
    record.metadata = _json(row[19]) or {}
    record.ready = bool(record.ready)
    record.cancel_requested = bool(record.cancel_requested)
    return record


def to_wait(row: Row) -> WaitRecord:
    """A wait from ``WAIT_COLUMNS``."""
    values: list[Any] = [
        *row[:4],
        _json(row[4]),
        _json(row[5]),
        *row[6:10],
        to_payload(row[10:18]),
        *row[18:],
    ]
    return WaitRecord(*values)


def to_attempt(row: Row) -> AttemptRecord:
    """An attempt from ``ATTEMPT_COLUMNS``."""
    call_id, attempt, error, started_at, ended_at = row
    return AttemptRecord(call_id, attempt, _decode(error), started_at, ended_at)


def to_subcall(row: Row) -> SubcallRecord:
    """A model or tool call from ``SUBCALL_COLUMNS``."""
    values: list[Any] = [*row[:-2], _json(row[-2]), _json(row[-1])]
    return SubcallRecord(*values)


def to_artifact(row: Row) -> ArtifactRecord:
    """An artifact from ``ARTIFACT_COLUMNS``."""
    values: list[Any] = [*row[:4], Payload(*row[4:12]), _json(row[12]) or []]
    return ArtifactRecord(*values)


def to_start(row: Row) -> StartRecord:
    """A start from ``START_COLUMNS``."""
    values: list[Any] = [*row[:6], _json(row[6])]
    return StartRecord(*values)


def to_log(row: Row) -> LogRecord:
    """A line from ``LOG_COLUMNS`` and its number."""
    return LogRecord(*row)
