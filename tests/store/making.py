"""Records for the store's tests, with only what a test cares about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kitaru.store.protocol import JournalStore
from kitaru.store.records import (
    Append,
    CallRecord,
    ExecutionRecord,
    Finish,
    NewExecution,
    Payload,
    Status,
    WaitKind,
    WaitRecord,
)

LEASE = 30.0


class Clock:
    """A database clock that a test sets."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def new(exec_id: str = "e1", **fields: Any) -> NewExecution:
    fields = {"flow_name": "flow", "flow_id": "flow-id", "spec": {}, "inputs": {}} | fields
    return NewExecution(exec_id, **fields)


def payload(text: str = "1", **fields: Any) -> Payload:
    data = text.encode()
    given = {
        "codec": "json",
        "size": len(data),
        "type": "str",
        "media_type": "application/json",
        "data": data,
    }
    return Payload(f"digest-of-{text}", **(given | fields))


def call(seq: int, call_id: str | None = None, **fields: Any) -> CallRecord:
    name = call_id or f"step#{seq}"
    fields = {
        "position": seq,
        "kind": "checkpoint",
        "name": name.partition("#")[0],
        "status": "completed",
    } | fields
    return CallRecord(seq, name, **fields)


def failed(seq: int, call_id: str, **fields: Any) -> CallRecord:
    return call(
        seq, call_id, **({"status": "failed", "error": {"type": "ValueError", "message": "no"}} | fields)
    )


def wait(call_id: str = "ask#1", **fields: Any) -> WaitRecord:
    fields = {"kind": WaitKind.INPUT, "name": call_id.partition("#")[0]} | fields
    return WaitRecord(call_id, **fields)


def held(store: JournalStore, exec_id: str = "e1", owner: str = "runner", **fields: Any) -> ExecutionRecord:
    """An execution that ``owner`` holds under epoch 1."""
    return store.create(new(exec_id, lease_owner=owner, lease_seconds=LEASE, **fields)).execution


def append(
    store: JournalStore, *calls: CallRecord, exec_id: str = "e1", epoch: int = 1, **fields: Any
) -> None:
    store.append(Append(exec_id, epoch, calls, **fields))


def finish(
    store: JournalStore, exec_id: str = "e1", epoch: int = 1, status: Status = Status.COMPLETED, **fields: Any
) -> list[str]:
    return store.finish(Finish(exec_id, epoch, status, **fields))


def suspended(store: JournalStore, *waits: WaitRecord, exec_id: str = "e1", **fields: Any) -> None:
    """An execution that waits, after epoch 1."""
    held(store, exec_id, **fields)
    append(store, exec_id=exec_id, waits=waits)
    assert store.suspend(exec_id, 1, 0.0)


def ids(records: Sequence[CallRecord]) -> list[tuple[int, str]]:
    return [(record.seq, record.call_id) for record in records]


def everything(store: JournalStore, exec_id: str = "e1") -> tuple[Any, ...]:
    """All that the journal knows of an execution, to see that something changed nothing."""
    return (
        store.execution(exec_id),
        store.calls(exec_id),
        store.attempts(exec_id),
        store.waits(exec_id),
        store.artifacts(exec_id),
    )
