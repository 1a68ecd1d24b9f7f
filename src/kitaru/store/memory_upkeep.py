"""Versions of memory that are to go: at once, or where an execution has read them, when that goes."""

from __future__ import annotations

from urllib.parse import quote, unquote

from kitaru.store.database import Transaction
from kitaru.store.memory_records import Purged, Scope

LINK = "memory"
"""The kind of the link from a call that has read a version."""

_KEYS = (
    "SELECT k.key_id, k.name, k.version, k.deleted FROM memory_keys k JOIN memory_scopes s "
    "ON s.scope_id = k.scope_id WHERE s.scope_type = ? AND s.scope = ?"
)
_OLDER = "SELECT version FROM memory_versions WHERE key_id = ? AND NOT purged AND version <= ? ORDER BY version DESC"
_READ_BY = "SELECT 1 FROM links WHERE source_exec_id = ? LIMIT 1"
_HIDE = "UPDATE memory_versions SET purged = TRUE WHERE key_id = ? AND version = ?"
_DELETE = "DELETE FROM memory_versions WHERE key_id = ? AND version = ?"
_DROP_TEXT = "DELETE FROM memory_text WHERE rowid = ?"
_EMPTY = "UPDATE memory_keys SET deleted = TRUE WHERE key_id = ?"
_HIDDEN = (
    "SELECT v.key_id, v.version, s.scope_type, s.scope, k.name FROM memory_versions v "
    "JOIN memory_keys k ON k.key_id = v.key_id JOIN memory_scopes s ON s.scope_id = k.scope_id WHERE v.purged"
)


def source_of(scope: Scope, key: str, version: int) -> str:
    """What a link to a version names, as its source and as what it is of: also its artifact's id."""
    return f"memory/{scope.kind}/{quote(scope.name, safe='~')}/{key}@{version}"


def version_of(source: str) -> tuple[Scope, str, int] | None:
    """Scope, key and version that ``source_of`` named; None for anything else."""
    named, _, version = source.rpartition("@")
    parts = named.split("/", 3)
    if len(parts) != 4 or parts[0] != "memory" or not version.isdecimal():
        return None
    return Scope(parts[1], unquote(parts[2])), parts[3], int(version)


def purge(tx: Transaction, scope: Scope, key: str | None, keep: int, *, include_deleted: bool) -> Purged:
    """Delete or hide versions of a scope whose row is locked."""
    done = Purged(0, 0, 0)
    for key_id, name, current, deleted in tx.run(_KEYS, scope).fetchall():
        if key is not None and name != key:
            continue
        if key is None and deleted and not include_deleted:
            continue
        spared = 0 if deleted and include_deleted else keep
        versions = [row[0] for row in tx.run(_OLDER, (key_id, current)).fetchall()]
        gone = versions[spared:]
        for version in gone:
            read = tx.run(_READ_BY, (source_of(scope, name, version),)).fetchone() is not None
            tx.run(_HIDE if read else _DELETE, (key_id, version))
            done.kept += read
            done.deleted += not read
        done.keys += bool(gone)
        if len(gone) == len(versions) and gone:
            tx.run(_DROP_TEXT, (key_id,))
            # Its number is not given away again.
            tx.run(_EMPTY, (key_id,))
    return done


def drop_unread(tx: Transaction) -> None:
    """Delete the hidden versions that no execution refers to any more."""
    for key_id, version, kind, name, key in tx.run(_HIDDEN).fetchall():
        if tx.run(_READ_BY, (source_of(Scope(kind, name), key, version),)).fetchone() is None:
            tx.run(_DELETE, (key_id, version))
