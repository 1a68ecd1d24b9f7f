"""The store's records as the models that users see."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kitaru.backend import Backend
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
    tags: list[str] | None = None,
) -> ArtifactRef:
    """An artifact whose payload is known, or is the output of ``call_id``."""
    ref = ArtifactRef(
        artifact_id=artifact_id,
        name=name,
        kind=kind,
        type=payload.type,
        digest=payload.digest,
        size=payload.size,
        media_type=payload.media_type,
        producing_call=call_id,
        exec_id=exec_id,
        preview=_preview(payload),
        tags=tags or [],
    )

    def load(*, plain: bool = False) -> Any:
        found: Payload | None = payload
        if payload.data is None and payload.location == "inline" and call_id is not None:
            found = backend.store.output(exec_id, call_id)
        elif payload.data is None and payload.location == "inline":
            found = backend.store.execution(exec_id).result
        if found is None:
            raise KitaruStateError(f"Artifact {artifact_id} is gone: its execution was purged.")
        return backend.vault.get_plain(found) if plain else backend.vault.get(found)

    ref._loader = load  # pyright: ignore[reportPrivateUsage]  # models know no backend: they are handed a loader
    return ref


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

    def load(*, plain: bool = False) -> Any:
        raise KitaruStateError(
            f"Argument {parameter!r} ({form['t']}) was not stored: it cannot be said without pickle. Its preview is "
            f"{ref.preview}."
        )

    ref._loader = load  # pyright: ignore[reportPrivateUsage]  # as above
    return ref


def saved_artifact(backend: Backend, exec_id: str, record: ArtifactRecord) -> ArtifactRef:
    """A value that a checkpoint saved."""
    where = f"{exec_id}/{record.call_id}/saved/{record.ordinal}"
    return artifact(
        backend, exec_id, where, record.name, record.kind, record.call_id, record.payload, record.tags
    )


def call(
    backend: Backend,
    exec_id: str,
    record: CallRecord,
    saved: list[ArtifactRecord],
    attempts: list[AttemptRecord],
) -> CheckpointCall:
    """A call of the journal."""
    info = record.info or {}
    artifacts: list[ArtifactRef] = []
    if record.output is not None:
        where = f"{exec_id}/{record.call_id}/output"
        artifacts.append(
            artifact(backend, exec_id, where, record.name, "output", record.call_id, record.output)
        )
    artifacts += [saved_artifact(backend, exec_id, item) for item in saved]
    return CheckpointCall(
        call_id=record.call_id,
        name=record.name,
        kind=record.kind,
        type=info.get("type"),
        status=record.status,
        attempts=record.attempts,
        failed_attempts=[_attempt(item) for item in attempts],
        failure=failure(record.error),
        artifacts=artifacts,
        inputs={
            name: input_artifact(backend, exec_id, record.call_id, name, form)
            for name, form in (record.inputs or {}).items()
        },
        cached_from=info.get("cached_from"),
        saved_usd=info.get("saved", {}).get("cost_usd"),
        started_at=moment(record.started_at),
        ended_at=moment(record.ended_at),
        metadata=redactor.anything(info.get("metadata", {})),
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
