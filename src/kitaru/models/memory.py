"""Versioned memory as users see it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kitaru.models.base import Model
from kitaru.models.calls import CheckpointCall
from kitaru.models.executions import PendingWait


class MemoryEntry(Model):
    """One version of a key. Its value is loaded through its artifact: ``client.artifacts.get(entry.artifact_id)``.

    Attributes:
        value_type: the Python type's name; None for a deletion.
        version: counts from 1, for each key of a scope.
        scope: for example ``team``; ``scope_type`` is ``namespace``, ``flow`` or ``execution``.
        is_deleted: this version deletes the key.
        execution_id: the execution that wrote it; None: a client did. ``call_id`` is the call.
        preview: the first 2 KiB as text.
    """

    key: str
    value_type: str | None
    version: int
    scope: str
    scope_type: str
    is_deleted: bool
    execution_id: str | None
    call_id: str | None
    flow_id: str | None
    flow_name: str | None
    created_at: datetime
    artifact_id: str
    preview: str | None = None


class MemoryScopeInfo(Model):
    """A scope, and how many keys it holds that are not deleted."""

    scope: str
    scope_type: str
    entry_count: int


class PurgeResult(Model):
    """What a purge did.

    Attributes:
        versions_kept: versions that are out of every list, and stay until the executions that read them are purged.
    """

    versions_deleted: int
    keys_affected: int
    scope: str
    scope_type: str
    versions_kept: int = 0


class CompactionRecord(Model):
    """An act of upkeep, as the audit log keeps it.

    Attributes:
        operation: ``compact``, ``purge`` or ``purge_scope``.
        source_keys: the keys that were read, or purged; None: all of the scope.
        source_mode: ``current`` or ``history``, of a compaction.
    """

    operation: str
    scope: str
    scope_type: str
    source_keys: list[str] | None
    source_mode: str | None
    target_key: str | None
    target_version: int | None
    keep: int | None
    versions_deleted: int | None
    timestamp: datetime


class CompactResult(Model):
    """What a compaction wrote, and from how many values."""

    entry: MemoryEntry
    sources_read: int
    scope: str
    scope_type: str
    compaction_record: CompactionRecord


class MemoryChange(Model):
    """A key that differs between two moments; None: it was not there. ``kind``: added, removed or changed."""

    key: str
    scope: str
    scope_type: str
    kind: str
    before: MemoryEntry | None
    after: MemoryEntry | None


class ExecutionMoment(Model):
    """What was known when a call began.

    Attributes:
        memory: the visible state.
        completed: the calls that had ended, with what they returned.
        open_waits: the questions without an answer.
        cost_usd: what the model calls up to then had cost; None where no price is known.
    """

    exec_id: str
    call_id: str
    at: datetime
    memory: list[MemoryEntry]
    completed: list[CheckpointCall]
    open_waits: list[PendingWait]
    cost_usd: float | None
    metadata: dict[str, Any] = {}
