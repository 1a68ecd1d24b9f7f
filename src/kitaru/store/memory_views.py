"""A scope of memory as somebody is to see it, and what is said of a lost compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass

from kitaru.errors import KitaruConflictError
from kitaru.store.memory_protocol import MemoryStore
from kitaru.store.memory_records import Scope, VersionRecord

ALL = 1_000_000
"""More keys than a scope that is read as a whole can have."""


def conflict_error(scope: Scope, key: str, expected: int | None, current: int) -> KitaruConflictError:
    """The error of a lost compare-and-set."""
    return KitaruConflictError(
        f"Memory {key!r} of {scope.kind} {scope.name!r} has version {current}, not {expected} as expected. Read it "
        "again, decide anew, and set it with expect_version of what was read.",
        current,
    )


@dataclass
class MemoryView:
    """A scope as it is to be seen: up to ``bound``, with the versions of ``overlay`` in place of those of its own."""

    store: MemoryStore
    scope: Scope
    overlay: Scope | None
    bound: int | None

    def entries(self, prefix: str = "") -> list[VersionRecord]:
        """The current versions, by key."""
        found = {
            one.key: one for one in self.store.entries(self.scope, prefix=prefix, upto=self.bound, limit=ALL)
        }
        if self.overlay is not None:
            own = self.store.entries(self.overlay, prefix=prefix, limit=ALL, deleted=True)
            found |= {one.key: one for one in own}
        return [found[key] for key in sorted(found) if found[key].payload is not None]

    def history(self, key: str) -> list[VersionRecord]:
        """The versions of a key, newest first."""
        found = self.store.history(self.scope, key, limit=ALL)
        own = self.store.history(self.overlay, key, limit=ALL) if self.overlay is not None else []
        return [*own, *(one for one in found if self.bound is None or one.seq <= self.bound)]
