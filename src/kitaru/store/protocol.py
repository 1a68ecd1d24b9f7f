"""The store: the journal, and what is read from it, behind one interface.

Rules that hold for every method of every store:

- A method that returned has committed: what it wrote survives the loss of power.
- A method that raised ``KitaruBackendError`` because the database failed has written nothing, or exactly what it was
  asked for: it may be called again with the same arguments (ids and sequence numbers make repeats harmless).
- Methods may be called from any thread. A forked child must not use its parent's store: it starts a new one.
- Writes of a runner carry the epoch of its lease. When the epoch is not the execution's current one, they raise
  ``Fenced`` and write nothing: another runner has taken over.
- Times are by the database's clock, in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from kitaru.errors import KitaruRuntimeError
from kitaru.store.memory_protocol import MemoryStore
from kitaru.store.records import (
    Append,
    ArtifactRecord,
    AttemptRecord,
    Beat,
    CallRecord,
    Created,
    ExecutionRecord,
    Finish,
    IntentRecord,
    JsonDict,
    LinkRecord,
    LogRecord,
    NewExecution,
    Payload,
    StartRecord,
    Status,
    SubcallRecord,
    WaitRecord,
)
from kitaru.store.registry_records import ModelRecord, SecretRecord


class Fenced(KitaruRuntimeError):
    """The execution is held by another runner now: this one must stop, and has recorded nothing."""


class JournalStore(Protocol):
    """What a runner, and whoever answers or cancels, needs of the journal."""

    def now(self) -> float:
        """The database's clock."""
        ...

    def create(self, new: NewExecution) -> Created:
        """Insert an execution with status ``running``, epoch 0 and no lease (``lease_owner`` set: epoch 1, held).

        When the id, or the pair of flow name and idempotency key, exists already, nothing is written and the
        existing execution is returned with ``created=False``.
        """
        ...

    def take(
        self, exec_id: str, owner: str, lease_seconds: float, *, dead_owner: str | None = None
    ) -> ExecutionRecord | None:
        """Take the lease: epoch + 1, status ``running``, ``ready`` and ``wake_at`` cleared, ``started_at`` set once.

        Eligible: status ``running`` or ``waiting``, and no lease, or a lease that ended by the database's clock, or
        one held by ``dead_owner`` (a runner known to be dead). Otherwise ``None``.
        A takeover of an execution that was ``running`` and had been leased counts in ``takeovers``, which starts at 1
        again when the journal has grown since the last counted one. A takeover from ``waiting`` is not counted.
        Returns the row as it is after the takeover. Raises ``KitaruStateError`` when there is no such execution.
        """
        ...

    def release(self, exec_id: str, epoch: int) -> None:
        """Give the lease back and mark the execution ready: it is ``running`` and anybody may take it."""
        ...

    def heartbeat(self, owner: str, held: Mapping[str, int], lease_seconds: float) -> dict[str, Beat]:
        """Extend the leases of ``held`` (execution id -> epoch) that are still ``owner``'s, and read the signals."""
        ...

    def signals(self, owner: str, held: Mapping[str, int]) -> dict[str, Beat]:
        """What ``heartbeat`` answers, without extending a lease: reads only."""
        ...

    def append(self, write: Append) -> None:
        """Commit a write: all of it or nothing. Concurrent calls share a transaction (group commit).

        A call whose ``(exec_id, seq)`` is there already with the same ``call_id`` is a repeat and writes nothing.
        ``waits`` already there are left alone. ``metadata`` is merged into the execution's, key by key.
        Raises ``Fenced``; the other writes that share its transaction are not touched by that.
        """
        ...

    def void(self, exec_id: str, epoch: int, calls: Sequence[str], attempt: AttemptRecord) -> None:
        """Under the runner's own lease: the failed calls named leave the journal and are kept as attempts (numbered
        after those that the call has), and ``attempt`` is added, in one transaction. Raises ``Fenced``.
        """
        ...

    def suspend(self, exec_id: str, epoch: int, active_seconds: float) -> bool:
        """Commit ``waiting`` and give back the lease; ``wake_at`` becomes the earliest ``due_at`` of pending waits.

        Returns False, and changes nothing, when a wait has been settled (or is due) that the journal has no call for
        yet, or when cancellation was requested: the runner goes on. ``active_seconds`` is added to the row's.
        """
        ...

    def finish(self, end: Finish) -> list[str]:
        """Commit the end: status, result or failure, ``ended_at``; pending waits become ``closed``; starts are dropped.

        Every pending ``child`` wait on this execution becomes ``answered`` and its execution ready if ``waiting``;
        their ids are returned, to be launched. Raises ``Fenced``.
        """
        ...

    def settle(
        self,
        exec_id: str,
        call_id: str,
        status: str,
        *,
        answer: Payload | None = None,
        by: str | None = None,
        blobs: Sequence[tuple[str, bytes]] = (),
    ) -> bool:
        """Settle a pending wait as ``answered``, ``aborted`` or ``expired`` and mark a waiting execution ready.

        Returns False, and changes nothing, when the wait is not pending or the execution has finished.
        Raises ``KitaruStateError`` when there is no such execution or wait.
        """
        ...

    def reject(self, exec_id: str, epoch: int, call_id: str, reason: str) -> None:
        """Make an answered wait pending again, without its answer, and keep the reason as its metadata's
        ``"rejected"``. Raises ``Fenced``.
        """
        ...

    def request_cancel(self, exec_id: str, *, dead_owner: str | None = None) -> Status:
        """Cancel. A finished execution is left alone. One that nobody holds (waiting; or running without a live
        lease; or held by ``dead_owner``) ends at once as ``cancelled`` with epoch + 1, with all that ``finish`` does;
        else ``cancel_requested`` is set for its runner. Unfinished children get the same. Returns the new status.
        """
        ...

    def reopen(self, exec_id: str, void: Sequence[str]) -> ExecutionRecord:
        """Make a failed or cancelled execution ``running`` and ready again, without lease, epoch + 1.

        The failed calls named in ``void`` leave the journal; each is kept as an attempt. Closed waits that have no
        call in the journal are dropped. Takeovers start at 0. Raises ``KitaruStateError`` when it has not ended so.
        """
        ...

    def execution(self, exec_id: str) -> ExecutionRecord:
        """The row. Raises ``KitaruStateError`` when there is no such execution."""
        ...

    def status(self, exec_id: str) -> Status:
        """Only the status, cheaply. Raises ``KitaruStateError`` when there is no such execution."""
        ...

    def launched(self, launch_id: str, ordinal: int) -> ExecutionRecord | None:
        """The execution that the ``ordinal``-th ``.run()`` of a process started, or None."""
        ...

    def calls(
        self, exec_id: str, *, after_seq: int = 0, limit: int = 1000, data: bool = True
    ) -> list[CallRecord]:
        """A page of the journal in ``seq`` order. ``data=False``: outputs without their
        bytes, but for those that are their own preview.
        """
        ...

    def output(self, exec_id: str, call_id: str) -> Payload | None:
        """One call's output with its bytes, when they are inline."""
        ...

    def attempts(self, exec_id: str, call_id: str | None = None) -> list[AttemptRecord]:
        """Failed attempts, by call and attempt number."""
        ...

    def intents(self, exec_id: str) -> list[IntentRecord]:
        """Attempts of effects that were about to start, by call and attempt number."""
        ...

    def subcall_numbers(self, exec_id: str) -> dict[str, int]:
        """The highest number (after the ``#`` of ``child_id``) of the subcalls of each call that has some."""
        ...

    def waits(self, exec_id: str) -> list[WaitRecord]:
        """All waits, in the order of ``settled_at`` (pending last), then ``created_at``, then call id."""
        ...

    def artifacts(self, exec_id: str) -> list[ArtifactRecord]:
        """The saved artifacts of an execution, oldest first."""
        ...

    def saved(self, exec_id: str, call_id: str, ordinal: int) -> Payload | None:
        """One saved artifact's value with its bytes, when they are inline."""
        ...

    def blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The blobs found under these digests; a missing one is absent from the answer."""
        ...

    def cached(self, cache_key: str) -> tuple[str, CallRecord] | None:
        """The newest completed call with this cache key, and its execution's id."""
        ...

    def wakeable(self, limit: int = 100) -> list[str]:
        """Executions to launch: ready and not under a live lease, or ``waiting`` with ``wake_at`` in the past."""
        ...

    def next_wake(self) -> float | None:
        """When the next ``waiting`` execution is due (``wake_at``); None when none has a time."""
        ...

    def tell(
        self,
        *,
        starts: Sequence[StartRecord] = (),
        logs: Sequence[LogRecord] = (),
    ) -> None:
        """Write what people watch: starts and progress (upserted by call), and log lines. No fencing."""
        ...

    def merge_metadata(self, exec_id: str, metadata: JsonDict) -> None:
        """Merge into the execution's metadata, key by key."""
        ...

    def merge_spec(self, exec_id: str, more: JsonDict, epoch: int | None = None) -> None:
        """Merge into the execution's spec, key by key. ``epoch``: as its runner, else raises ``Fenced``."""
        ...

    def check(self) -> None:
        """Reach the database and compare its schema's version; raises ``KitaruBackendError``."""
        ...

    def close(self) -> None:
        """Close all connections. Idempotent."""
        ...


class ReadStore(Protocol):
    """What people look at: lists, searches and statistics, read from the journal."""

    def executions(
        self,
        *,
        flow: str | None = None,
        status: str | None = None,
        stack: str | None = None,
        since: float | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> tuple[list[ExecutionRecord], str | None]:
        """Newest first, with the cursor of the next page (None at the end)."""
        ...

    def call_summaries(self, exec_id: str, call_id: str | None = None) -> list[CallRecord]:
        """All calls of an execution in ``position`` order, or one of them; outputs without their bytes, but for those
        that are their own preview.
        """
        ...

    def artifact_summaries(self, exec_id: str, call_id: str | None = None) -> list[ArtifactRecord]:
        """The saved artifacts of an execution, oldest first, or of one of its calls; without their bytes, but for
        those that are their own preview.
        """
        ...

    def starts(self, exec_id: str) -> list[StartRecord]:
        """Calls that run now, as far as was told: those without a record in the journal."""
        ...

    def logs(
        self,
        exec_id: str,
        *,
        call_id: str | None = None,
        name: str | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> list[LogRecord]:
        """Log lines, oldest first; of one call, or of all calls of one checkpoint name."""
        ...

    def pending_waits(self, exec_id: str | None = None) -> list[tuple[str, WaitRecord]]:
        """Open questions of waiting or running executions (kind ``input``), oldest first, with the execution's id."""
        ...

    def statistics(self, group_by: str) -> list[JsonDict]:
        """By ``flow``, ``status``, ``day`` (UTC) or ``stack``: rows of ``{"group", "executions", "completed", "failed",
        "cancelled", "waiting", "running", "checkpoints", "mean_seconds"}`` and usage: ``"model_calls",
        "input_tokens", "output_tokens", "cost_usd", "unpriced_calls"``; by ``model``: usage alone. Sorted by group.
        ``cost_usd`` sums what is known; None when nothing is. The day of usage is the model call's.
        """
        ...

    def subcalls(self, exec_id: str, call_id: str | None = None) -> list[SubcallRecord]:
        """Model and tool calls of an execution, or of one of its calls, in the order in which they began."""
        ...

    def usage(self, exec_ids: Sequence[str]) -> dict[str, JsonDict]:
        """What the model calls of each execution and of all that it started used: the usage of ``statistics``."""
        ...

    def links_from(self, exec_id: str) -> list[LinkRecord]:
        """What the calls of an execution took from others; and under an empty call id what its result came from."""
        ...

    def links_to(self, source_exec_id: str) -> list[tuple[str, LinkRecord]]:
        """What others took from an execution, with the taker's id."""
        ...

    def replays_of(self, exec_id: str) -> list[str]:
        """The executions that replay this one, oldest first."""
        ...

    def purge(self, exec_ids: Sequence[str]) -> int:
        """Delete finished executions with all that hangs under them; returns how many there were."""
        ...


class RegistryStore(Protocol):
    """What is kept for all executions: model aliases, and secrets as they were encrypted."""

    def models(self) -> list[ModelRecord]:
        """All aliases, by name."""
        ...

    def put_model(self, model: ModelRecord) -> None:
        """Add an alias or replace it; the one default is the last that was put as such."""
        ...

    def delete_model(self, alias: str) -> bool:
        """Whether there was one."""
        ...

    def secrets(self) -> list[SecretRecord]:
        """All secrets, by name."""
        ...

    def secret(self, name: str) -> SecretRecord | None:
        """One, or None."""
        ...

    def put_secret(self, secret: SecretRecord) -> None:
        """Add or replace; ``created_at`` of one that was there stays. The times are the database's."""
        ...

    def delete_secret(self, name: str) -> bool:
        """Whether there was one."""
        ...


class Store(JournalStore, Protocol):
    """A journal and its readings. ``reads`` is made on first use: it is what imports SQLAlchemy."""

    url: str

    @property
    def memory(self) -> MemoryStore:
        """The memory in this store."""
        ...

    @property
    def registry(self) -> RegistryStore:
        """What this store keeps for all executions."""
        ...

    @property
    def reads(self) -> ReadStore:
        """The readings of this store."""
        ...
