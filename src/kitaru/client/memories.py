"""``client.memories``: versioned memory, whoever's it is."""

from __future__ import annotations

import builtins
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitaru import remembering
from kitaru.backend import Backend
from kitaru.errors import KitaruUsageError
from kitaru.models import (
    CompactionRecord,
    CompactResult,
    MemoryChange,
    MemoryEntry,
    MemoryScopeInfo,
    PurgeResult,
)
from kitaru.store.memory_records import AuditRecord, Conflict, MemoryWrite, Scope
from kitaru.store.memory_views import conflict_error

if TYPE_CHECKING:
    from kitaru.store.memory_records import Purged


class Memories:
    """Reads and writes memory from outside of flows. ``scope_type`` is ``namespace``, ``flow`` or ``execution``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._store = backend.store.memory

    def get(
        self, key: str, *, scope: str, scope_type: str = "namespace", version: int | None = None
    ) -> MemoryEntry | None:
        """The current version of a key, or one by its number; None where there is none, or it is deleted.

        Raises:
            KitaruUsageError: for a key or a scope that cannot be.

        Example:
            >>> # entry = client.memories.get("notes", scope="team"); client.artifacts.get(entry.artifact_id).load()
        """
        where = remembering.checked_scope(scope, scope_type)
        found = self._store.read(where, remembering.checked_key(key), version=version).version
        return None if found is None or found.payload is None else remembering.entry(found)

    def set(
        self,
        key: str,
        value: Any,
        *,
        scope: str,
        scope_type: str = "namespace",
        expect_version: int | None = None,
    ) -> MemoryEntry:
        """Set a key: a new version. ``expect_version``: only if that is the current one; 0: only if there is none.

        Raises:
            KitaruConflictError: another version is the current one.
            KitaruUsageError: as ``get``, or for a value that cannot be stored.
        """
        if expect_version is not None and expect_version < 0:
            raise KitaruUsageError(f"expect_version is 0 or more, not {expect_version}.")
        where = remembering.checked_scope(scope, scope_type)
        remembering.checked_key(key)
        payload, blobs = self._backend.vault.put(value)
        text = remembering.text_of(key, value)
        written = self._store.write(MemoryWrite(where, key, payload, blobs, text, expect_version))
        if isinstance(written, Conflict):
            raise conflict_error(where, key, expect_version, written.current)
        return remembering.entry(written)

    def delete(self, key: str, *, scope: str, scope_type: str = "namespace") -> MemoryEntry | None:
        """Delete a key; its history stays. The version that says so; None where there was nothing to delete."""
        where = remembering.checked_scope(scope, scope_type)
        if self.get(key, scope=scope, scope_type=scope_type) is None:
            return None
        written = self._store.write(MemoryWrite(where, key, None))
        assert not isinstance(written, Conflict)
        return remembering.entry(written)

    def list(
        self,
        *,
        scope: str,
        scope_type: str = "namespace",
        prefix: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> builtins.list[MemoryEntry]:
        """The current versions of the keys that are not deleted, by key; ``after`` is the last of the page before."""
        where = remembering.checked_scope(scope, scope_type)
        found = self._store.entries(where, prefix=prefix or "", after=after or "", limit=limit)
        return [remembering.entry(one) for one in found]

    def history(
        self,
        key: str,
        *,
        scope: str,
        scope_type: str = "namespace",
        limit: int = 100,
        before: int | None = None,
    ) -> builtins.list[MemoryEntry]:
        """The versions of a key, newest first; ``before`` is the last version of the page before."""
        where = remembering.checked_scope(scope, scope_type)
        found = self._store.history(where, remembering.checked_key(key), before=before, limit=limit)
        return [remembering.entry(one) for one in found]

    def search(
        self, query: str, *, scope: str | None = None, scope_type: str = "namespace", limit: int = 20
    ) -> builtins.list[MemoryEntry]:
        """The keys whose key or value has all words of the query, best first; of all scopes where none is named."""
        where = None if scope is None else remembering.checked_scope(scope, scope_type)
        return [remembering.entry(one) for one in self._store.search(query, where, limit)]

    def scopes(self) -> builtins.list[MemoryScopeInfo]:
        """All scopes, by type and name."""
        return [
            MemoryScopeInfo(scope=one.scope.name, scope_type=one.scope.kind, entry_count=one.entries)
            for one in self._store.scopes()
        ]

    def as_of(self, exec_id: str, checkpoint: str | None = None) -> builtins.list[MemoryEntry]:
        """The memory that was visible to an execution when a call of it began; without one, at its end or now.

        Raises:
            KitaruStateError: for an unknown execution or call.
        """
        from kitaru.client.moments import memory_at

        return memory_at(self._backend, exec_id, checkpoint)

    def changes(
        self,
        exec_id: str,
        checkpoint: str | None = None,
        *,
        until: str | None = None,
        until_exec_id: str | None = None,
    ) -> builtins.list[MemoryChange]:
        """What differs between two moments: from a call's to that of call ``until``, of the same execution or another.

        Raises:
            KitaruStateError: for an unknown execution or call.
        """
        from kitaru.client.moments import memory_changes

        return memory_changes(self._backend, (exec_id, checkpoint), (until_exec_id or exec_id, until))

    def purge(
        self, key: str, *, scope: str, scope_type: str = "namespace", keep: int | None = None
    ) -> PurgeResult:
        """Delete the versions of a key for good, but for the newest ``keep``. Audited.

        Versions that an execution has read are out of every list, and stay until that is purged: ``versions_kept``.
        """
        where = remembering.checked_scope(scope, scope_type)
        kept = _checked_keep(keep)
        return _purged(where, self._store.purge(where, remembering.checked_key(key), keep=kept))

    def purge_scope(
        self,
        *,
        scope: str,
        scope_type: str = "namespace",
        keep: int | None = None,
        include_deleted: bool = False,
    ) -> PurgeResult:
        """As ``purge``, for all keys of a scope; deleted ones go as a whole with ``include_deleted``, and else stay."""
        where = remembering.checked_scope(scope, scope_type)
        done = self._store.purge(
            where, keep=_checked_keep(keep), include_deleted=include_deleted, operation="purge_scope"
        )
        return _purged(where, done)

    def compact(
        self,
        *,
        scope: str,
        scope_type: str = "namespace",
        key: str | None = None,
        keys: builtins.list[str] | None = None,
        source_mode: str = "current",
        target_key: str | None = None,
        instruction: str | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
    ) -> CompactResult:
        """Let a model write one value from one key, its history, or several keys. The sources stay. Audited.

        It is an execution of the flow ``memory-compaction``, with its cost and its lineage.

        Args:
            scope: whose memory.
            scope_type: ``namespace``, ``flow`` or ``execution``.
            key: the key to compact; it is the target too, unless ``target_key`` names another.
            keys: several keys in place of ``key``; then ``target_key`` is needed.
            source_mode: ``current``: the current values; ``history``: all versions.
            target_key: the key to write.
            instruction: what the model is told to do; default: to keep what matters.
            model: as in ``kitaru.llm``.
            max_tokens: the most that the model may answer with.

        Raises:
            KitaruUsageError: for arguments that do not fit together.
            KitaruStateError: when there is nothing to compact.
            KitaruModelError: the model could not be asked.
        """
        from kitaru.compacting import compacting, plan

        where = remembering.checked_scope(scope, scope_type)
        sources, target = plan(key, keys, source_mode, target_key)
        handle = compacting.run(
            where.name, where.kind, sources, source_mode, target, instruction, model, max_tokens
        )
        done = handle.wait()
        written = self._store.read(where, target, version=done["version"]).version
        (noted,) = [one for one in self._store.audit(where) if one.audit_id == done["audit_id"]]
        assert written is not None
        return CompactResult(
            entry=remembering.entry(written),
            sources_read=done["sources_read"],
            scope=where.name,
            scope_type=where.kind,
            compaction_record=_record(noted),
        )

    def compaction_log(
        self, *, scope: str | None = None, scope_type: str = "namespace", limit: int = 100
    ) -> builtins.list[CompactionRecord]:
        """All acts of upkeep (compactions and purges), newest first; of all scopes where none is named."""
        where = None if scope is None else remembering.checked_scope(scope, scope_type)
        return [_record(one) for one in self._store.audit(where, limit)]


def _checked_keep(keep: int | None) -> int:
    if keep is not None and keep < 1:
        raise KitaruUsageError(f"keep is 1 or more, not {keep}; leave it out to delete all versions.")
    return keep or 0


def _purged(scope: Scope, done: Purged) -> PurgeResult:
    return PurgeResult(
        versions_deleted=done.deleted,
        versions_kept=done.kept,
        keys_affected=done.keys,
        scope=scope.name,
        scope_type=scope.kind,
    )


def _record(noted: AuditRecord) -> CompactionRecord:
    info = noted.info
    sources = info.get("source_keys") or ([info["key"]] if info.get("key") else None)
    return CompactionRecord(
        operation=noted.operation,
        scope=noted.scope.name,
        scope_type=noted.scope.kind,
        source_keys=sources,
        source_mode=info.get("source_mode"),
        target_key=info.get("target_key"),
        target_version=info.get("target_version"),
        keep=info.get("keep") or None,
        versions_deleted=info.get("versions_deleted"),
        timestamp=datetime.fromtimestamp(noted.created_at, UTC),
    )
