"""Memory as the store keeps it: versions of keys in scopes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kitaru.store.records import Append, Blob, JsonDict, Payload


class Scope(NamedTuple):
    """Whose memory: ``kind`` is ``namespace``, ``flow`` or ``execution``."""

    kind: str
    name: str


@dataclass(slots=True)
class VersionRecord:
    """One version of a key. ``seq`` counts the writes of its scope: it puts them in their order.

    ``payload`` is None for a deletion. Who wrote it: a call of an execution, or with ``exec_id`` None a client.
    """

    scope: Scope
    key: str
    version: int
    seq: int
    payload: Payload | None
    exec_id: str | None = None
    call_id: str | None = None
    flow_id: str | None = None
    flow_name: str | None = None
    created_at: float = 0.0


@dataclass(slots=True)
class Read:
    """What a read found: the version, if there is one, and the last ``seq`` of its scope at that moment."""

    version: VersionRecord | None
    seq: int


@dataclass(slots=True)
class Conflict:
    """A compare-and-set that found another version than the one expected. 0: the key was never written."""

    current: int
    seq: int


@dataclass(slots=True)
class MemoryWrite:
    """A value to be set, or with ``payload`` None a key to be deleted.

    Attributes:
        expect: the version that must be the current one; None: whichever is.
        base: the number of the version that counts as the current one while the scope itself has none.
        text: what is searched; None: nothing.
    """

    scope: Scope
    key: str
    payload: Payload | None
    blobs: Sequence[Blob] = ()
    text: str | None = None
    expect: int | None = None
    base: int = 0
    exec_id: str | None = None
    call_id: str | None = None
    flow_id: str | None = None
    flow_name: str | None = None


@dataclass(slots=True)
class Journalled:
    """The call of a flow that a write is part of: both are committed together, once.

    ``append`` gives what is appended to the journal for the outcome; its one call has the number ``seq``.
    """

    exec_id: str
    epoch: int
    seq: int
    append: Callable[[VersionRecord | Conflict], Append]


@dataclass(slots=True)
class ScopeRecord:
    """A scope, how many keys it holds that are not deleted, and its last ``seq``."""

    scope: Scope
    entries: int
    seq: int


@dataclass(slots=True)
class Purged:
    """What a purge did. ``kept``: versions that are out of every list, and stay until no execution refers to them."""

    deleted: int
    kept: int
    keys: int


@dataclass(slots=True)
class AuditRecord:
    """An act of upkeep. It is never deleted."""

    audit_id: int
    operation: str
    scope: Scope
    info: JsonDict
    created_at: float
