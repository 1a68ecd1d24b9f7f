"""What people see of memory."""

from __future__ import annotations

from collections.abc import Sequence

from kitaru.cli import output, views
from kitaru.models import CompactionRecord, ExecutionMoment, MemoryChange, MemoryEntry, PurgeResult


def entries(found: Sequence[MemoryEntry]) -> None:
    """A table of versions."""
    columns = ["scope", "key", "version", "type", "written", "by", "value"]
    output.table(
        "",
        columns,
        [
            (
                f"{one.scope_type}:{one.scope}",
                one.key,
                one.version,
                "deleted" if one.is_deleted else one.value_type,
                output.ago(one.created_at),
                f"{one.execution_id}/{one.call_id}" if one.execution_id else "a client",
                (one.preview or "")[:60],
            )
            for one in found
        ],
    )


def changes(found: Sequence[MemoryChange]) -> None:
    """What differs between two moments."""
    rows = [
        (
            f"{one.scope_type}:{one.scope}",
            one.key,
            one.kind,
            (one.before.preview or "")[:60] if one.before else "-",
            (one.after.preview or "")[:60] if one.after else "-",
        )
        for one in found
    ]
    output.table("", ["scope", "key", "change", "before", "after"], rows)


def purged(done: PurgeResult) -> None:
    """What a purge did."""
    print(f"{done.versions_deleted} versions of {done.keys_affected} keys are deleted.")
    if done.versions_kept:
        print(
            f"{done.versions_kept} more are out of every list, and stay until the executions that read them go."
        )


def log(found: Sequence[CompactionRecord]) -> None:
    """Acts of upkeep."""
    rows = [
        (
            f"{one.timestamp:%Y-%m-%d %H:%M:%S}",
            one.operation,
            f"{one.scope_type}:{one.scope}",
            ", ".join(one.source_keys or ["all"]),
            f"{one.target_key}@{one.target_version}" if one.target_key else "",
            one.versions_deleted,
        )
        for one in found
    ]
    output.table("", ["when", "what", "scope", "keys", "wrote", "versions deleted"], rows)


def moment(found: ExecutionMoment) -> None:
    """What an execution knew when a call began."""
    print(f"{found.exec_id} when {found.call_id} began, {found.at:%Y-%m-%d %H:%M:%S} UTC")
    outputs = [
        (call.call_id, (call.artifacts[0].preview or "")[:80] if call.artifacts else "")
        for call in found.completed[-views.MOST_CALLS :]
    ]
    output.table("", ["completed", "output"], outputs)
    if found.memory:
        entries(found.memory)
    else:
        print("no memory")
    for wait in found.open_waits:
        views.question(wait)
    print(f"cost until then: {views.dollars(found.cost_usd)}")
