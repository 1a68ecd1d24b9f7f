"""The store's records as the models that users see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from kitaru.backend import Backend
from kitaru.client.loading import Loader, Unstored
from kitaru.errors import KitaruStateError
from kitaru.models import (
    ArtifactRef,
    Attempt,
    CheckpointCall,
    Execution,
    ExecutionStatus,
    Failure,
    PendingWait,
)
from kitaru.payloads import preview_of
from kitaru.redaction import redactor
from kitaru.store.memory_upkeep import version_of
from kitaru.store.records import (
    ArtifactRecord,
    AttemptRecord,
    CallRecord,
    ExecutionRecord,
    JsonDict,
    Payload,
    WaitRecord,
    payload_from_json,
)


def moment(seconds: float | None) -> datetime | None:
    """Seconds since the epoch as an aware datetime."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def failure(form: JsonDict | None) -> Failure | None:
    """A failure as it stands in the journal."""
    if form is None:
        return None
    described = form.get("error") or form
    return Failure(
        origin=form.get("origin", "unknown"),
        type=form.get("type", ""),
        message=redactor.text(form.get("message", "")),
        traceback=redactor.anything(described.get("traceback")),
        calls=form.get("calls", []),
    )


def _preview(payload: Payload) -> str | None:
    if payload.preview is None and payload.data is None:
        return None
    return redactor.text(preview_of(payload.codec, payload.data or b"", payload.preview))


def artifact(
    backend: Backend,
    exec_id: str,
    artifact_id: str,
    name: str,
    kind: str,
    call_id: str | None,
    payload: Payload,
    saved: ArtifactRecord | None = None,
) -> ArtifactRef:
    """An artifact whose payload is known, was saved, or is the output of ``call_id`` or the execution's result."""
    return ArtifactRef.trusted(
        {
            "artifact_id": artifact_id,
            "name": name,
            "kind": kind,
            "type": payload.type,
            "digest": payload.digest,
            "size": payload.size,
            "media_type": payload.media_type,
            "producing_call": call_id,
            "exec_id": exec_id,
            "preview": _preview(payload),
            "tags": saved.tags if saved else [],
        },
        {"_loader": Loader(backend, exec_id, call_id, saved.ordinal if saved else None, payload)},
    )


def input_artifact(
    backend: Backend, exec_id: str, call_id: str | None, parameter: str, form: JsonDict
) -> ArtifactRef:
    """An input of a call, or of the flow (``call_id`` None)."""
    where = f"{exec_id}/{call_id or ''}/input/{parameter}"
    source = (form.get("f") or [None])[0]
    if form.get("l") == "call":
        payload = Payload(form["d"], form["c"], form["n"], form["t"], form["m"], None, form.get("p"))
        return artifact(backend, exec_id, where, parameter, "input", source, payload)
    if not form["d"]:
        return _opaque(exec_id, where, parameter, form)
    return artifact(backend, exec_id, where, parameter, "input", source, payload_from_json(form))


def _opaque(exec_id: str, where: str, parameter: str, form: JsonDict) -> ArtifactRef:
    ref = ArtifactRef(
        artifact_id=where,
        name=parameter,
        kind="input",
        type=form["t"],
        digest="",
        size=0,
        media_type="application/octet-stream",
        producing_call=None,
        exec_id=exec_id,
        preview=redactor.text(form["p"]),
    )

    ref._loader = Unstored(  # pyright: ignore[reportPrivateUsage]  # models are handed what reads
        f"Argument {parameter!r} ({form['t']}) was not stored: it cannot be said without pickle. Its preview is "
        f"{ref.preview}."
    )
    return ref


def saved_artifact(backend: Backend, exec_id: str, record: ArtifactRecord) -> ArtifactRef:
    """A value that a checkpoint saved."""
    where = f"{exec_id}/{record.call_id}/saved/{record.ordinal}"
    return artifact(backend, exec_id, where, record.name, record.kind, record.call_id, record.payload, record)


def memory_artifact(backend: Backend, artifact_id: str) -> ArtifactRef | None:
    """A version of memory by its artifact's id; None where there is none, or it has no value."""
    named = version_of(artifact_id)
    if named is None:
        return None
    scope, key, version = named
    found = backend.store.memory.read(scope, key, version=version).version
    if found is None or found.payload is None:
        return None
    return artifact(backend, found.exec_id or "", artifact_id, key, "memory", found.call_id, found.payload)


def inputs(backend: Backend, exec_id: str, record: CallRecord) -> dict[str, ArtifactRef]:
    """The inputs of a call."""
    return {
        name: input_artifact(backend, exec_id, record.call_id, name, form)
        for name, form in (record.inputs or {}).items()
    }


def artifacts(
    backend: Backend, exec_id: str, record: CallRecord, saved: list[ArtifactRecord]
) -> Iterator[ArtifactRef]:
    """What a call returned, and what it saved."""
    if record.output is not None:
        where = f"{exec_id}/{record.call_id}/output"
        yield artifact(backend, exec_id, where, record.name, "output", record.call_id, record.output)
    for item in saved:
        yield saved_artifact(backend, exec_id, item)


def call(
    backend: Backend,
    exec_id: str,
    record: CallRecord,
    saved: list[ArtifactRecord],
    attempts: list[AttemptRecord],
    *,
    values: bool = True,
) -> CheckpointCall:
    """A call of the journal; ``values=False``: without its inputs and artifacts."""
    info = record.info or {}
    return CheckpointCall.trusted(
        {
            "call_id": record.call_id,
            "name": record.name,
            "kind": record.kind,
            "type": info.get("type"),
            "status": record.status,
            "attempts": record.attempts,
            "failed_attempts": [_attempt(item) for item in attempts],
            "failure": failure(record.error),
            "artifacts": list(artifacts(backend, exec_id, record, saved)) if values else [],
            "inputs": inputs(backend, exec_id, record) if values else {},
            "cached_from": info.get("cached_from"),
            "started_at": moment(record.started_at),
            "ended_at": moment(record.ended_at),
            "metadata": redactor.anything(info.get("metadata", {})),
            "llm_calls": [],
            "tool_calls": [],
            "cost_usd": None,
            "saved_usd": info.get("saved", {}).get("cost_usd"),
        }
    )


def _attempt(record: AttemptRecord) -> Attempt:
    told = failure(record.error)
    assert told is not None
    return Attempt(
        attempt=record.attempt,
        failure=told,
        started_at=moment(record.started_at),
        ended_at=moment(record.ended_at),
    )


def wait(exec_id: str, record: WaitRecord) -> PendingWait:
    """An open question."""
    return PendingWait(
        wait_id=record.call_id,
        name=record.name,
        question=redactor.anything(record.question),
        schema=redactor.anything(record.schema),
        metadata=redactor.anything(record.metadata),
        entered_waiting_at=moment(record.created_at),
        expires_at=moment(record.due_at),
        exec_id=exec_id,
    )


def known_execution(backend: Backend, exec_id: str) -> ExecutionRecord | None:
    """An execution's row; None when it was deleted."""
    try:
        return backend.store.execution(exec_id)
    except KitaruStateError:
        return None


def execution(backend: Backend, record: ExecutionRecord) -> Execution:
    """An execution's row, without its calls."""
    exec_id = record.exec_id
    result = None
    if record.result is not None:
        result = artifact(backend, exec_id, f"{exec_id}//result", "result", "output", None, record.result)
    created = moment(record.created_at)
    assert created is not None
    return Execution(
        exec_id=exec_id,
        flow_name=record.flow_name,
        flow_id=record.flow_id,
        status=ExecutionStatus(record.status.value),
        stack_name=record.stack_name,
        created_at=created,
        started_at=moment(record.started_at),
        ended_at=moment(record.ended_at),
        metadata=redactor.anything(record.metadata),
        inputs={
            name: input_artifact(backend, exec_id, None, name, form) for name, form in record.inputs.items()
        },
        result=result,
        failure=failure(record.failure),
        original_exec_id=record.original_exec_id,
        parent_exec_id=record.parent_exec_id,
        spec=redactor.anything(record.spec),
    )
