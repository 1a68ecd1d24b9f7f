"""What an execution knew when a call of it began."""

from __future__ import annotations

import builtins
from collections.abc import Mapping

from kitaru import remembering
from kitaru.backend import Backend
from kitaru.client import mapping, usage
from kitaru.models import ExecutionMoment, MemoryChange, MemoryEntry
from kitaru.replays import select
from kitaru.store.memory_records import Scope
from kitaru.store.memory_views import ALL, MemoryView
from kitaru.store.records import CallRecord, ExecutionRecord, JsonDict


def memory_at(backend: Backend, exec_id: str, checkpoint: str | None = None) -> builtins.list[MemoryEntry]:
    """The memory that was visible when the call began; without one, at the execution's end or now.

    Raises:
        KitaruStateError: for an unknown execution or call, or a name that several calls have.
    """
    row = backend.store.execution(exec_id)
    calls = backend.store.reads.call_summaries(exec_id)
    call = select(calls, checkpoint, exec_id) if checkpoint is not None else None
    return _memory(backend, row, calls, call)


def memory_changes(
    backend: Backend, before: tuple[str, str | None], after: tuple[str, str | None]
) -> builtins.list[MemoryChange]:
    """What differs between two moments, each an execution and a call of it."""
    old, new = (
        {(one.scope_type, one.scope, one.key): one for one in memory_at(backend, *moment)}
        for moment in (before, after)
    )
    changes: builtins.list[MemoryChange] = []
    for place in sorted({*old, *new}):
        was, now = old.get(place), new.get(place)
        if was is not None and now is not None and was.version == now.version:
            continue
        kind = "added" if was is None else "removed" if now is None else "changed"
        kind_of_scope, scope, key = place
        changes.append(
            MemoryChange(key=key, scope=scope, scope_type=kind_of_scope, kind=kind, before=was, after=now)
        )
    return changes


def moment(backend: Backend, exec_id: str, call_id: str) -> ExecutionMoment:
    """All that was known when a call began.

    Raises:
        KitaruStateError: as ``memory_at``.
    """
    row = backend.store.execution(exec_id)
    calls = backend.store.reads.call_summaries(exec_id)
    call = select(calls, call_id, exec_id)
    began: float = call.started_at or row.created_at
    at = mapping.moment(began)
    assert at is not None
    subcalls = [one for one in backend.store.reads.subcalls(exec_id) if (one.ended_at or began) < began]
    completed = [
        mapping.call(backend, exec_id, one, [], [])
        for one in calls
        if one.status == "completed"
        and one.ended_at is not None
        and one.ended_at <= began
        and one is not call
    ]
    waits = [
        mapping.wait(exec_id, wait)
        for wait in backend.store.waits(exec_id)
        if wait.kind == "input" and (wait.created_at or 0.0) < began and (wait.settled_at or began) >= began
    ]
    return ExecutionMoment(
        exec_id=exec_id,
        call_id=call.call_id,
        at=at,
        memory=_memory(backend, row, calls, call),
        completed=completed,
        open_waits=waits,
        cost_usd=usage.total(one.cost_usd for one in subcalls if one.kind == "llm_call"),
    )


def _memory(
    backend: Backend, row: ExecutionRecord, calls: builtins.list[CallRecord], call: CallRecord | None
) -> builtins.list[MemoryEntry]:
    used = _used(calls)
    own = {Scope("flow", row.flow_name), Scope("execution", row.exec_id)}
    found: builtins.list[MemoryEntry] = []
    for scope in sorted(own | {_original(scope, row.exec_id) for scope in used}):
        overlay = Scope(scope.kind, f"{scope.name}~{row.exec_id}")
        view = MemoryView(
            backend.store.memory, scope, None, _seq(backend, row, used.get(scope, {}), call, scope)
        )
        there = {one.key: one for one in view.entries()}
        if overlay in used:
            upto = _seq(backend, row, used[overlay], call, overlay)
            laid = backend.store.memory.entries(overlay, upto=upto, limit=ALL, deleted=True)
            there |= {one.key: one for one in laid}
        found += [remembering.entry(there[key]) for key in sorted(there) if there[key].payload is not None]
    return found


def _used(calls: builtins.list[CallRecord]) -> dict[Scope, dict[int, int]]:
    """Scope -> position of a call that read or wrote it -> the ``seq`` that it saw or made."""
    found: dict[Scope, dict[int, int]] = {}
    for call in calls:
        told: JsonDict | None = (call.info or {}).get("memory")
        if told is not None:
            found.setdefault(Scope(*told["scope"]), {})[call.position] = told["seq"]
    return found


def _original(scope: Scope, exec_id: str) -> Scope:
    """The scope that a replay's own one is laid over."""
    return Scope(scope.kind, scope.name.removesuffix(f"~{exec_id}"))


def _seq(
    backend: Backend, row: ExecutionRecord, seen: Mapping[int, int], call: CallRecord | None, scope: Scope
) -> int:
    """Which writes of a scope were visible: by the clock, within what the calls around tell for sure."""
    position = call.position if call is not None else None
    at = call.started_at if call is not None else row.ended_at
    replay: JsonDict = row.spec.get("replay") or {}
    if replay.get("memory") == "as_of" and not scope.name.endswith(f"~{row.exec_id}"):
        original = mapping.known_execution(backend, replay["original"])
        at = original.created_at if original is not None else row.created_at
    before = [seq for place, seq in seen.items() if position is None or place <= position]
    after = [seq for place, seq in seen.items() if position is not None and place > position]
    seq = backend.store.memory.seq_at(scope, at if at is not None else backend.store.now())
    return max([min([seq, *after]), *before])
