"""Versioned memory in SQL. What the methods promise is said in ``protocol.py``.

A write locks the row of its scope first: the writes of a scope come one after the other, each with the next ``seq``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kitaru.store import leases
from kitaru.store.appends import PreparedAppend
from kitaru.store.database import Database, Transaction
from kitaru.store.memory_records import (
    AuditRecord,
    Conflict,
    Journalled,
    MemoryWrite,
    Purged,
    Read,
    Scope,
    ScopeRecord,
    VersionRecord,
)
from kitaru.store.records import JsonDict
from kitaru.store.rows import PAYLOAD, payload_row, readable, to_json, to_payload

_AUTHOR = ("exec_id", "call_id", "flow_id", "flow_name", "created_at")
_PAYLOAD_AT = 5


def _columns(*, data: bool = True) -> str:
    named = [f"v.{part}" for part in PAYLOAD]
    if not data:
        named[PAYLOAD.index("data")] = "CASE WHEN v.preview IS NULL THEN v.data END"
    return ", ".join(
        (
            "s.scope_type",
            "s.scope",
            "k.name",
            "v.version",
            "v.seq",
            *named,
            *(f"v.{name}" for name in _AUTHOR),
        )
    )


_JOINED = "FROM memory_keys k JOIN memory_scopes s ON s.scope_id = k.scope_id "
_VERSIONS = f"{_JOINED}JOIN memory_versions v ON v.key_id = k.key_id "
_SLIM = f"SELECT {_columns(data=False)} {_VERSIONS}"
_IN_SCOPE = "s.scope_type = ? AND s.scope = ? "
_CURRENT = "v.version = k.version "
_AS_OF = (
    "v.version = (SELECT MAX(o.version) FROM memory_versions o WHERE o.key_id = k.key_id AND o.seq <= ?) "
)

_LOCK_SCOPE = (
    "INSERT INTO memory_scopes (scope_type, scope, seq) VALUES (?, ?, 0) "
    "ON CONFLICT (scope_type, scope) DO UPDATE SET seq = memory_scopes.seq RETURNING scope_id, seq"
)
_COUNT = "UPDATE memory_scopes SET seq = ? WHERE scope_id = ?"
_KEY = "SELECT key_id, version FROM memory_keys WHERE scope_id = ? AND name = ?"
_NEW_KEY = "INSERT INTO memory_keys (scope_id, name, version, deleted) VALUES (?, ?, ?, ?) RETURNING key_id"
_NEXT_VERSION = "UPDATE memory_keys SET version = ?, deleted = ? WHERE key_id = ?"
_INSERT = (
    f"INSERT INTO memory_versions (key_id, version, seq, {', '.join((*PAYLOAD, *_AUTHOR))}) "
    f"VALUES ({', '.join(['?'] * (7 + len(PAYLOAD)))}, {{now}}) RETURNING created_at"
)
_WRITTEN = f"SELECT {_columns()} {_VERSIONS}WHERE v.exec_id = ? AND v.call_id = ?"
_CALL_INFO = "SELECT info FROM calls WHERE exec_id = ? AND call_id = ?"
_READ = (
    f"SELECT s.seq, {_columns()} FROM memory_scopes s LEFT JOIN memory_keys k ON k.scope_id = s.scope_id "
    "AND k.name = ? LEFT JOIN memory_versions v ON v.key_id = k.key_id AND NOT v.purged AND {{which}} WHERE "
    f"{_IN_SCOPE}"
)
_DROP_TEXT = "DELETE FROM memory_text WHERE rowid = ?"
_TEXT = {
    "sqlite": "INSERT INTO memory_text (rowid, body) VALUES (?, ?)",
    "postgres": "INSERT INTO memory_text (rowid, body) VALUES (?, to_tsvector('simple', ?))",
}
_MATCHES = {
    "sqlite": "JOIN memory_text t ON t.rowid = k.key_id WHERE t.body MATCH ? AND " + _CURRENT,
    "postgres": (
        "JOIN memory_text t ON t.rowid = k.key_id WHERE t.body @@ plainto_tsquery('simple', ?) AND "
        + _CURRENT
    ),
}
_BEST = {"sqlite": "t.rank", "postgres": "k.name"}
_SCOPES = (
    "SELECT s.scope_type, s.scope, s.seq, COUNT(CASE WHEN NOT k.deleted THEN 1 END) FROM memory_scopes s "
    "LEFT JOIN memory_keys k ON k.scope_id = s.scope_id GROUP BY s.scope_id, s.scope_type, s.scope, s.seq "
    "ORDER BY s.scope_type, s.scope"
)
_SEQ_AT = f"SELECT COALESCE(MAX(v.seq), 0) {_VERSIONS}WHERE {_IN_SCOPE}AND v.created_at <= ?"
_NOTE = (
    "INSERT INTO memory_audit (operation, scope_type, scope, info, created_at) VALUES (?, ?, ?, ?, {now}) "
    "RETURNING audit_id, created_at"
)


class SqlMemory:
    """The memory on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, write: MemoryWrite, journal: Journalled | None = None) -> VersionRecord | Conflict:
        """See ``MemoryStore``."""
        # Without a journal nobody could tell a repeat from another write.
        return self._database.write(
            lambda tx: self._write(tx, write, journal), repeatable=journal is not None
        )

    def _write(
        self, tx: Transaction, write: MemoryWrite, journal: Journalled | None
    ) -> VersionRecord | Conflict:
        if journal is not None:
            leases.held(tx, journal.exec_id, journal.epoch)
            before = _recorded(tx, journal, write)
            if before is not None:
                return before
        scope_id, last = tx.run(_LOCK_SCOPE, write.scope).fetchone()
        row = tx.run(_KEY, (scope_id, write.key)).fetchone()
        key_id, current = row or (None, write.base)
        outcome: VersionRecord | Conflict
        if write.expect is not None and write.expect != current:
            outcome = Conflict(current, last)
        else:
            outcome = self._add(tx, write, scope_id, key_id, current + 1, last + 1)
        if journal is not None:
            PreparedAppend(journal.append(outcome)).run(tx)
        return outcome

    def _add(
        self, tx: Transaction, write: MemoryWrite, scope_id: int, key_id: int | None, version: int, seq: int
    ) -> VersionRecord:
        deleted = write.payload is None
        if key_id is None:
            key_id = tx.run(_NEW_KEY, (scope_id, write.key, version, deleted)).fetchone()[0]
        else:
            tx.run(_NEXT_VERSION, (version, deleted, key_id))
            tx.run(_DROP_TEXT, (key_id,))
        author = (write.exec_id, write.call_id, write.flow_id, write.flow_name)
        values = (key_id, version, seq, *payload_row(write.payload), *author)
        created_at = tx.run(_INSERT, values).fetchone()[0]
        tx.run(_COUNT, (seq, scope_id))
        if write.text is not None:
            tx.run(_TEXT[self._database.dialect], (key_id, readable(write.text)))
        leases.put_blobs(tx, write.blobs)
        return VersionRecord(
            write.scope, write.key, version, seq, write.payload, *author, created_at=created_at
        )

    def read(self, scope: Scope, key: str, *, version: int | None = None, upto: int | None = None) -> Read:
        """See ``MemoryStore``."""
        which, bound = _which(version, upto)
        row = self._rows(_READ.replace("{{which}}", which), key, *bound, *scope)
        if not row:
            return Read(None, 0)
        seq, *found = row[0]
        return Read(None if found[3] is None else _version(found), seq)

    def entries(
        self,
        scope: Scope,
        *,
        prefix: str = "",
        upto: int | None = None,
        after: str = "",
        limit: int = 100,
        deleted: bool = False,
    ) -> list[VersionRecord]:
        """See ``MemoryStore``."""
        which, bound = _which(None, upto)
        there = "" if deleted else "AND v.digest IS NOT NULL "
        return self._versions(
            f"{_SLIM}WHERE {_IN_SCOPE}AND k.name > ? AND substr(k.name, 1, CAST(? AS INTEGER)) = ? "
            f"AND NOT v.purged {there}AND {which}ORDER BY k.name LIMIT ?",
            *scope,
            after,
            len(prefix),
            prefix,
            *bound,
            limit,
        )

    def history(
        self, scope: Scope, key: str, *, before: int | None = None, limit: int = 100
    ) -> list[VersionRecord]:
        """See ``MemoryStore``."""
        earlier = "" if before is None else "AND v.version < ? "
        return self._versions(
            f"{_SLIM}WHERE {_IN_SCOPE}AND k.name = ? AND NOT v.purged {earlier}ORDER BY v.version DESC LIMIT ?",
            *scope,
            key,
            *(() if before is None else (before,)),
            limit,
        )

    def scopes(self) -> list[ScopeRecord]:
        """See ``MemoryStore``."""
        return [
            ScopeRecord(Scope(kind, name), entries, seq) for kind, name, seq, entries in self._rows(_SCOPES)
        ]

    def seq_at(self, scope: Scope, moment: float) -> int:
        """See ``MemoryStore``."""
        return self._rows(_SEQ_AT, *scope, moment)[0][0]

    def written_by(self, exec_id: str) -> list[VersionRecord]:
        """See ``MemoryStore``."""
        return self._versions(
            f"{_SLIM}WHERE v.exec_id = ? AND NOT v.purged ORDER BY v.created_at, v.seq", exec_id
        )

    def search(self, query: str, scope: Scope | None = None, limit: int = 20) -> list[VersionRecord]:
        """See ``MemoryStore``."""
        dialect = self._database.dialect
        words = query.split()
        if not words:
            return []
        # Quoted, so that nothing in it is taken for the search's own language.
        wanted = " ".join('"{}"'.format(word.replace('"', '""')) for word in words)
        matches = _MATCHES[dialect].replace("t.body MATCH", "memory_text MATCH")
        inside = "" if scope is None else f"AND {_IN_SCOPE}"
        return self._versions(
            f"{_SLIM}{matches}{inside}ORDER BY {_BEST[dialect]} LIMIT ?",
            wanted if dialect == "sqlite" else query,
            *(scope or ()),
            limit,
        )

    def purge(
        self,
        scope: Scope,
        key: str | None = None,
        *,
        keep: int = 0,
        include_deleted: bool = False,
        operation: str = "purge",
    ) -> Purged:
        """See ``MemoryStore``."""
        from kitaru.store.memory_upkeep import purge

        def work(tx: Transaction) -> Purged:
            tx.run(_LOCK_SCOPE, scope)
            done = purge(tx, scope, key, keep, include_deleted=include_deleted)
            info = {"key": key, "keep": keep, "include_deleted": include_deleted}
            told = {"versions_deleted": done.deleted, "versions_kept": done.kept, "keys_affected": done.keys}
            _note(tx, operation, scope, {**info, **told})
            return done

        return self._database.write(work)

    def note(self, operation: str, scope: Scope, info: JsonDict) -> AuditRecord:
        """See ``MemoryStore``."""
        return self._database.write(lambda tx: _note(tx, operation, scope, info), repeatable=False)

    def audit(self, scope: Scope | None = None, limit: int = 100) -> list[AuditRecord]:
        """See ``MemoryStore``."""
        inside = "" if scope is None else "WHERE scope_type = ? AND scope = ? "
        rows = self._rows(
            f"SELECT audit_id, operation, scope_type, scope, info, created_at FROM memory_audit {inside}"
            "ORDER BY audit_id DESC LIMIT ?",
            *(scope or ()),
            limit,
        )
        return [
            AuditRecord(audit_id, operation, Scope(kind, name), json.loads(info), created_at)
            for audit_id, operation, kind, name, info, created_at in rows
        ]

    def _rows(self, statement: str, *parameters: object) -> list[Any]:
        return self._database.read(lambda tx: tx.run(statement, parameters).fetchall())

    def _versions(self, statement: str, *parameters: object) -> list[VersionRecord]:
        return [_version(row) for row in self._rows(statement, *parameters)]


def _recorded(tx: Transaction, journal: Journalled, write: MemoryWrite) -> VersionRecord | Conflict | None:
    """What came of the call, if it is on record already."""
    rows = tx.run(_WRITTEN, (journal.exec_id, write.call_id)).fetchall()
    if rows:
        return _version(rows[0])
    found = tx.run(_CALL_INFO, (journal.exec_id, write.call_id)).fetchone()
    if found is None:
        return None
    told: JsonDict = json.loads(found[0])["memory"]
    return Conflict(told["current"], told["seq"])


def _which(version: int | None, upto: int | None) -> tuple[str, tuple[int, ...]]:
    """The condition for the version that is asked for, and its parameter."""
    if version is not None:
        return "v.version = ? ", (version,)
    if upto is not None:
        return _AS_OF, (upto,)
    return _CURRENT, ()


def _version(row: Sequence[Any]) -> VersionRecord:
    kind, name, key, version, seq = row[:_PAYLOAD_AT]
    end = _PAYLOAD_AT + len(PAYLOAD)
    return VersionRecord(Scope(kind, name), key, version, seq, to_payload(row[_PAYLOAD_AT:end]), *row[end:])


def _note(tx: Transaction, operation: str, scope: Scope, info: JsonDict) -> AuditRecord:
    row = tx.run(_NOTE, (operation, *scope, to_json(info))).fetchone()
    return AuditRecord(row[0], operation, scope, info, row[1])
