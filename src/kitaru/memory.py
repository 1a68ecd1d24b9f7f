"""Versioned memory: state that outlives an execution, with who wrote it and when.

In a flow's body each read and write is a call of the journal: a resume sees what was seen, and writes nothing twice.
The scope is then the flow's own, unless ``configure`` says otherwise. Outside of a flow ``configure`` names it first.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitaru import remembering
from kitaru.backend import backend
from kitaru.engine.memory import RunMemory
from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.errors import KitaruContextError, KitaruStateError, KitaruUsageError
from kitaru.store.memory_records import Conflict, MemoryWrite, Scope, VersionRecord
from kitaru.store.memory_views import MemoryView, conflict_error

if TYPE_CHECKING:
    from kitaru.models import (
        CompactionRecord,
        CompactResult,
        MemoryChange,
        MemoryEntry,
        MemoryScopeInfo,
        PurgeResult,
    )

__all__ = [
    "CompactResult",
    "CompactionRecord",
    "MemoryChange",
    "MemoryEntry",
    "MemoryScopeInfo",
    "PurgeResult",
    "as_of",
    "configure",
    "delete",
    "get",
    "history",
    "list",
    "search",
    "set",
]

_MODELS = (
    "CompactResult",
    "CompactionRecord",
    "MemoryChange",
    "MemoryEntry",
    "MemoryScopeInfo",
    "PurgeResult",
)


def __getattr__(name: str) -> Any:
    # The models need pydantic, which flows that do not ask for them do without.
    if name in _MODELS:
        from kitaru import models

        return getattr(models, name)
    raise AttributeError(f"module 'kitaru.memory' has no attribute {name!r}")


@dataclass
class _Default:
    scope: Scope | None = None


_outside = _Default()


def configure(scope: str | None = None, scope_type: str | None = None) -> None:
    """Say whose memory the other functions read and write from now on: in a flow for the rest of this execution.

    Args:
        scope: the name of a namespace, a flow's name, or an execution's id. In a flow it may be left out with
            ``scope_type`` ``flow`` or ``execution``: its own.
        scope_type: ``namespace`` (the default where a scope is named), ``flow`` or ``execution``.

    Raises:
        KitaruUsageError: for a scope that cannot be.
        KitaruContextError: inside a checkpoint.

    Example:
        >>> configure(scope="team")
    """
    flow = _flow_scope("configure")
    if flow is None:
        _outside.scope = remembering.checked_scope(scope, scope_type)
        return
    own = {"flow": flow.run.code.name, "execution": flow.run.exec_id}
    name = scope or own.get(scope_type or "flow")
    _of(flow).scope = remembering.checked_scope(name, scope_type or ("namespace" if scope else "flow"))


def get(key: str, default: Any = None, version: int | None = None) -> Any:
    """The value of a key, or ``default`` where it was never set or is deleted.

    Args:
        key: letters, digits and ``. _ - /``.
        default: what to return where there is no value.
        version: an earlier version, by its number.

    Raises:
        KitaruUsageError: for a key that cannot be.
        KitaruContextError: inside a checkpoint.
        KitaruStateError: outside a flow without ``configure``.

    Example:
        >>> # in a flow: notes = kitaru.memory.get("customers/42/notes", default=[])
    """
    remembering.checked_key(key)
    flow = _flow_scope("get")
    if flow is not None:
        memory = _of(flow)
        found, value = memory.get(flow.branch, memory.scope, key, version)
        return value if found else default
    record = backend().store.memory.read(_configured(), key, version=version).version
    return default if record is None or record.payload is None else backend().vault.get(record.payload)


def set(key: str, value: Any, expect_version: int | None = None) -> MemoryEntry:
    """Set a key: a new version. In a flow it happens once, however often the flow is resumed.

    Args:
        key: letters, digits and ``. _ - /``.
        value: any value that a checkpoint may return.
        expect_version: the version that must be the current one for the key to be set; 0: none.

    Raises:
        KitaruConflictError: another version is the current one; ``.current_version``.
        KitaruUsageError: for a key or a value that cannot be stored.
        KitaruContextError: inside a checkpoint.
        KitaruStateError: outside a flow without ``configure``.

    Example:
        >>> # in a flow: kitaru.memory.set("customers/42/notes", [*notes, "prefers mail"])
    """
    return _write("set", key, value, expect_version)


def delete(key: str) -> MemoryEntry:
    """Delete a key: a new version without a value; the earlier ones stay in its history.

    Raises:
        KitaruUsageError, KitaruContextError, KitaruStateError: as ``set``.
    """
    return _write("delete", key, None, None)


def _write(what: str, key: str, value: Any, expect: int | None) -> MemoryEntry:
    remembering.checked_key(key)
    if expect is not None and expect < 0:
        raise KitaruUsageError(f"expect_version is 0 or more, not {expect}.")
    deletes = what == "delete"
    text = None if deletes else remembering.text_of(key, value)
    flow = _flow_scope(what)
    if flow is None:
        return write_detached(_configured(), key, value, expect=expect, deletes=deletes)
    memory = _of(flow)
    told = memory.write(flow.branch, memory.scope, key, value, text, expect=expect, delete=deletes)
    from kitaru.models import MemoryEntry
    from kitaru.store.memory_upkeep import source_of

    scope = Scope(*told["scope"])
    run = flow.run
    return MemoryEntry.model_validate(
        {
            "key": key,
            "value_type": told["type"],
            "version": told["version"],
            "scope": scope.name,
            "scope_type": scope.kind,
            "is_deleted": deletes,
            "execution_id": told.get("exec_id", run.exec_id),
            "call_id": told.get("call_id"),
            "flow_id": run.execution.flow_id,
            "flow_name": run.code.name,
            "created_at": told["created_at"],
            "artifact_id": source_of(scope, key, told["version"]),
        }
    )


def write_detached(
    scope: Scope, key: str, value: Any, *, expect: int | None = None, deletes: bool = False
) -> MemoryEntry:
    """A write by nobody's flow."""
    found = backend()
    payload, blobs = (None, []) if deletes else found.vault.put(value)
    text = None if deletes else remembering.text_of(key, value)
    written = found.store.memory.write(MemoryWrite(scope, key, payload, blobs, text, expect))
    if isinstance(written, Conflict):
        raise conflict_error(scope, key, expect, written.current)
    return remembering.entry(written)


def list(prefix: str | None = None) -> builtins.list[MemoryEntry]:
    """The current versions of all keys that are not deleted, by key; of those that begin with ``prefix``.

    Raises:
        KitaruContextError, KitaruStateError: as ``get``.
    """
    return _read("list", {"prefix": prefix}, lambda view: view.entries(prefix or ""))


def history(key: str) -> builtins.list[MemoryEntry]:
    """All versions of a key, newest first.

    Raises:
        KitaruUsageError, KitaruContextError, KitaruStateError: as ``get``.
    """
    remembering.checked_key(key)
    return _read("history", {"key": key}, lambda view: view.history(key))


def search(query: str, scope: str | None = None, scope_type: str | None = None) -> builtins.list[MemoryEntry]:
    """The keys whose key or value has all words of the query, best first.

    Args:
        query: words.
        scope: where to look; default: where the other functions read and write.
        scope_type: ``namespace`` (the default where a scope is named), ``flow`` or ``execution``.

    Raises:
        KitaruUsageError: for a scope that cannot be.
        KitaruContextError, KitaruStateError: as ``get``.

    Example:
        >>> # in a flow: [entry.key for entry in kitaru.memory.search("green tea", scope="team")]
    """
    where = None if scope is None else remembering.checked_scope(scope, scope_type)
    return _read("search", {"query": query}, lambda view: found_in(view, query), where)


def found_in(view: MemoryView, query: str) -> builtins.list[VersionRecord]:
    """By the database's index of what is current; as of an earlier moment, by the keys and previews."""
    if view.bound is None:
        return view.store.search(query, view.scope, limit=100)
    words = query.lower().split()
    shown = [(one, f"{one.key} {remembering.entry(one).preview or ''}".lower()) for one in view.entries()]
    return [one for one, text in shown if words and all(word in text for word in words)]


def as_of(exec_id: str, checkpoint: str | None = None) -> builtins.list[MemoryEntry]:
    """The memory that was visible to an execution when a call of it began; without one, at its end or now.

    Raises:
        KitaruStateError: for an unknown execution or call.
        KitaruContextError: inside a checkpoint.

    Example:
        >>> # [entry.key for entry in kitaru.memory.as_of("kr-0123456789abcdef", checkpoint="decide")]
    """
    from kitaru.client.moments import memory_at

    flow = _flow_scope("as_of")
    if flow is None:
        return memory_at(backend(), exec_id, checkpoint)
    memory = _of(flow)
    given = {"exec_id": exec_id, "checkpoint": checkpoint}
    return memory.read(
        flow.branch, "as_of", memory.scope, given, lambda _: memory_at(backend(), exec_id, checkpoint)
    )


def _read(
    what: str,
    given: dict[str, Any],
    look: Callable[[MemoryView], builtins.list[VersionRecord]],
    where: Scope | None = None,
) -> builtins.list[MemoryEntry]:
    flow = _flow_scope(what)
    if flow is None:
        return [
            remembering.entry(one)
            for one in look(MemoryView(backend().store.memory, where or _configured(), None, None))
        ]
    memory = _of(flow)
    return memory.read(
        flow.branch,
        what,
        where or memory.scope,
        given,
        lambda view: [remembering.entry(one) for one in look(view)],
    )


def _flow_scope(what: str) -> FlowScope | None:
    scope = current_scope.get()
    if isinstance(scope, CheckpointScope):
        raise KitaruContextError(
            f"memory.{what}() was called inside checkpoint {scope.name!r}, whose body may run several times or not at "
            "all. Read before it and pass the value in; return what is to be kept and set it after it, in the flow's "
            "body."
        )
    if isinstance(scope, FlowScope):
        scope.run.check_thread()
        return scope
    return None


def _of(flow: FlowScope) -> RunMemory:
    return flow.run.memory


def _configured() -> Scope:
    if _outside.scope is None:
        raise KitaruStateError(
            "Outside a flow it must be said whose memory is meant: kitaru.memory.configure(scope='team'), or "
            "KitaruClient().memories with scope= and scope_type=."
        )
    return _outside.scope
