"""What everybody who reads or writes memory needs of the store."""

from __future__ import annotations

from typing import Protocol

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


class MemoryStore(Protocol):
    """Versioned memory: keys in scopes, each write a new version."""

    def write(self, write: MemoryWrite, journal: Journalled | None = None) -> VersionRecord | Conflict:
        """Add a version, with the journal's record of the call that did it in the same commit.

        A call that is recorded already has written before: its version is returned, and nothing is written.
        Raises ``Fenced`` when the execution is not held.
        """
        ...

    def read(self, scope: Scope, key: str, *, version: int | None = None, upto: int | None = None) -> Read:
        """The current version of a key, one by its number, or the last whose ``seq`` is at most ``upto``.

        A deletion is a version without a payload. A purged version is not found.
        """
        ...

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
        """The current versions by key (or those as of ``upto``), without their bytes but for those that are their own
        preview; deletions only with ``deleted``. ``after`` is the last key of the page before.
        """
        ...

    def history(
        self, scope: Scope, key: str, *, before: int | None = None, limit: int = 100
    ) -> list[VersionRecord]:
        """The versions of a key, newest first, as ``entries`` shows them; ``before`` is the last of the page before."""
        ...

    def scopes(self) -> list[ScopeRecord]:
        """All scopes, by kind and name."""
        ...

    def seq_at(self, scope: Scope, moment: float) -> int:
        """The last ``seq`` of a scope that was written up to a moment of the database's clock; 0 before the first."""
        ...

    def written_by(self, exec_id: str) -> list[VersionRecord]:
        """The versions that an execution's calls wrote, in their order, as ``entries`` shows them."""
        ...

    def search(self, query: str, scope: Scope | None = None, limit: int = 20) -> list[VersionRecord]:
        """Current versions whose text has all words of the query, best first, as ``entries`` shows them."""
        ...

    def purge(
        self,
        scope: Scope,
        key: str | None = None,
        *,
        keep: int = 0,
        include_deleted: bool = False,
        operation: str = "purge",
    ) -> Purged:
        """Delete the versions of a key, or of all keys of the scope that are not deleted, but for the newest ``keep``.

        ``include_deleted``: deleted keys go as a whole. Versions that an execution has read stay, out of every list,
        until it is purged. Version numbers go on. Audited.
        """
        ...

    def note(self, operation: str, scope: Scope, info: JsonDict) -> AuditRecord:
        """Add to the audit log."""
        ...

    def audit(self, scope: Scope | None = None, limit: int = 100) -> list[AuditRecord]:
        """The audit log, newest first."""
        ...
