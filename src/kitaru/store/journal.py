"""The journal on an SQL database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kitaru.store import leases, settling
from kitaru.store import statements as sql
from kitaru.store.appends import PreparedAppend
from kitaru.store.database import Database, Transaction
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
    LogRecord,
    NewExecution,
    Payload,
    StartRecord,
    Status,
    WaitRecord,
)
from kitaru.store.rows import (
    log_row,
    start_row,
    to_artifact,
    to_attempt,
    to_call,
    to_execution,
    to_payload,
    to_wait,
)

if TYPE_CHECKING:
    from kitaru.store.memory import SqlMemory
    from kitaru.store.reads import SqlReads
    from kitaru.store.registry import SqlRegistry


class SqlJournal:
    """A store on one database. What its methods promise is said in ``protocol.py``."""

    def __init__(self, url: str, database: Database) -> None:
        self.url = url
        self._database = database
        self._reads: SqlReads | None = None
        self._registry: SqlRegistry | None = None
        self._memory: SqlMemory | None = None

    @property
    def reads(self) -> SqlReads:
        """The readings of this store."""
        if self._reads is None:
            from kitaru.store.reads import SqlReads

            self._reads = SqlReads(self._database)
        return self._reads

    @property
    def memory(self) -> SqlMemory:
        """See ``Store``."""
        if self._memory is None:
            from kitaru.store.memory import SqlMemory

            self._memory = SqlMemory(self._database)
        return self._memory

    @property
    def registry(self) -> SqlRegistry:
        """What this store keeps for all executions."""
        if self._registry is None:
            from kitaru.store.registry import SqlRegistry

            self._registry = SqlRegistry(self._database)
        return self._registry

    def now(self) -> float:
        """See ``JournalStore``."""
        return self._database.now()

    # ---------------------------------------------------------------- leases

    def create(self, new: NewExecution) -> Created:
        """See ``JournalStore``."""
        return self._database.write(lambda tx: leases.create(tx, new))

    def take(
        self, exec_id: str, owner: str, lease_seconds: float, *, dead_owner: str | None = None
    ) -> ExecutionRecord | None:
        """See ``JournalStore``."""
        return self._database.write(
            lambda tx: leases.take(tx, exec_id, owner, lease_seconds, dead_owner), repeatable=False
        )

    def release(self, exec_id: str, epoch: int) -> None:
        """See ``JournalStore``."""
        self._database.write(lambda tx: leases.release(tx, exec_id, epoch))

    def heartbeat(self, owner: str, held: Mapping[str, int], lease_seconds: float) -> dict[str, Beat]:
        """See ``JournalStore``."""

        def beat(tx: Transaction) -> dict[str, Beat]:
            leases.extend(tx, owner, held, lease_seconds)
            return leases.signals(tx, owner, held)

        return self._database.write(beat)

    def signals(self, owner: str, held: Mapping[str, int]) -> dict[str, Beat]:
        """See ``JournalStore``."""
        return self._database.read(lambda tx: leases.signals(tx, owner, held))

    def append(self, write: Append) -> None:
        """See ``JournalStore``."""
        prepared = PreparedAppend(write)
        if write.metadata is None:
            self._database.append(prepared)
            return
        metadata = write.metadata

        def append_and_merge(tx: Transaction) -> None:
            leases.lock_in_order(tx, prepared.locks or [write.exec_id])
            prepared.run(tx)
            settling.merge_metadata(tx, write.exec_id, metadata)

        self._database.write(append_and_merge)

    def suspend(self, exec_id: str, epoch: int, active_seconds: float) -> bool:
        """See ``JournalStore``."""
        return self._database.write(lambda tx: leases.suspend(tx, exec_id, epoch, active_seconds))

    def finish(self, end: Finish) -> list[str]:
        """See ``JournalStore``."""
        return self._database.write(lambda tx: leases.finish(tx, end))

    # ---------------------------------------------------------------- settling

    def void(self, exec_id: str, epoch: int, calls: Sequence[str], attempt: AttemptRecord) -> None:
        """See ``JournalStore``."""
        self._database.write(lambda tx: settling.void(tx, exec_id, epoch, calls, attempt))

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
        """See ``JournalStore``."""
        return self._database.write(
            lambda tx: settling.settle(tx, exec_id, call_id, status, answer, by, blobs), repeatable=False
        )

    def reject(self, exec_id: str, epoch: int, call_id: str, reason: str) -> None:
        """See ``JournalStore``."""
        self._database.write(
            lambda tx: settling.reject(tx, exec_id, epoch, call_id, reason), repeatable=False
        )

    def request_cancel(self, exec_id: str, *, dead_owner: str | None = None) -> Status:
        """See ``JournalStore``."""
        return self._database.write(lambda tx: settling.request_cancel(tx, exec_id, dead_owner))

    def reopen(self, exec_id: str, void: Sequence[str]) -> ExecutionRecord:
        """See ``JournalStore``."""
        return self._database.write(lambda tx: settling.reopen(tx, exec_id, void), repeatable=False)

    def merge_metadata(self, exec_id: str, metadata: JsonDict) -> None:
        """See ``JournalStore``."""

        def merge(tx: Transaction) -> None:
            leases.locked(tx, exec_id)
            settling.merge_metadata(tx, exec_id, metadata)

        self._database.write(merge)

    def merge_spec(self, exec_id: str, more: JsonDict, epoch: int | None = None) -> None:
        """See ``JournalStore``."""
        self._database.write(lambda tx: settling.merge_spec(tx, exec_id, more, epoch))

    # ---------------------------------------------------------------- reading back

    def execution(self, exec_id: str) -> ExecutionRecord:
        """See ``JournalStore``."""
        return self._database.read(lambda tx: leases.execution(tx, exec_id))

    def status(self, exec_id: str) -> Status:
        """See ``JournalStore``."""
        row = self._database.read(lambda tx: tx.run(sql.STATUS, (exec_id,)).fetchone())
        if row is None:
            raise leases.missing(exec_id)
        return Status(row[0])

    def launched(self, launch_id: str, ordinal: int) -> ExecutionRecord | None:
        """See ``JournalStore``."""
        row = self._database.read(lambda tx: tx.run(sql.EXECUTION_BY_LAUNCH, (launch_id, ordinal)).fetchone())
        return None if row is None else to_execution(row)

    def calls(
        self, exec_id: str, *, after_seq: int = 0, limit: int = 1000, data: bool = True
    ) -> list[CallRecord]:
        """See ``JournalStore``."""
        statement = sql.CALLS if data else sql.SLIM_CALLS
        return [to_call(row) for row in self._rows(statement, exec_id, after_seq, limit)]

    def output(self, exec_id: str, call_id: str) -> Payload | None:
        """See ``JournalStore``."""
        rows = self._rows(sql.OUTPUT, exec_id, call_id)
        return to_payload(rows[0]) if rows else None

    def attempts(self, exec_id: str, call_id: str | None = None) -> list[AttemptRecord]:
        """See ``JournalStore``."""
        if call_id is None:
            return [to_attempt(row) for row in self._rows(sql.ATTEMPTS, exec_id)]
        return [to_attempt(row) for row in self._rows(sql.CALL_ATTEMPTS, exec_id, call_id)]

    def intents(self, exec_id: str) -> list[IntentRecord]:
        """See ``JournalStore``."""
        return [IntentRecord(*row) for row in self._rows(sql.INTENTS, exec_id)]

    def subcall_numbers(self, exec_id: str) -> dict[str, int]:
        """See ``JournalStore``."""
        highest: dict[str, int] = {}
        for call_id, child_id in self._rows(sql.SUBCALL_IDS, exec_id):
            number = int(child_id.rpartition("#")[2])
            highest[call_id] = max(number, highest.get(call_id, 0))
        return highest

    def waits(self, exec_id: str) -> list[WaitRecord]:
        """See ``JournalStore``."""
        return [to_wait(row) for row in self._rows(sql.WAITS, exec_id)]

    def artifacts(self, exec_id: str) -> list[ArtifactRecord]:
        """See ``JournalStore``."""
        return [to_artifact(row) for row in self._rows(sql.ARTIFACTS, exec_id)]

    def saved(self, exec_id: str, call_id: str, ordinal: int) -> Payload | None:
        """See ``JournalStore``."""
        rows = self._rows(sql.SAVED, exec_id, call_id, ordinal)
        return to_payload(rows[0]) if rows else None

    def blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """See ``JournalStore``."""
        wanted = sorted(set(digests))
        found: dict[str, bytes] = {}
        for start in range(0, len(wanted), leases.CHUNK):
            chunk = wanted[start : start + leases.CHUNK]
            found.update(self._rows(f"{sql.BLOBS}({sql.marks(len(chunk))})", *chunk))
        return found

    def cached(self, cache_key: str) -> tuple[str, CallRecord] | None:
        """See ``JournalStore``."""
        rows = self._rows(sql.CACHED, cache_key)
        return (rows[0][0], to_call(rows[0][1:])) if rows else None

    def wakeable(self, limit: int = 100) -> list[str]:
        """See ``JournalStore``."""
        return [row[0] for row in self._rows(sql.WAKEABLE, limit)]

    def next_wake(self) -> float | None:
        """See ``JournalStore``."""
        return self._rows(sql.NEXT_WAKE)[0][0]

    def _rows(self, statement: str, *parameters: object) -> list[Any]:
        return self._database.read(lambda tx: tx.run(statement, parameters).fetchall())

    # ---------------------------------------------------------------- telling

    def tell(self, *, starts: Sequence[StartRecord] = (), logs: Sequence[LogRecord] = ()) -> None:
        """See ``JournalStore``."""

        def write(tx: Transaction) -> None:
            if starts:
                ordered = sorted(starts, key=lambda start: (start.exec_id, start.call_id))
                tx.many(sql.UPSERT_START, [(*start_row(start), start.exec_id) for start in ordered])
            if logs:
                tx.many(sql.INSERT_LOG, [log_row(log) for log in logs])

        self._database.write(write, repeatable=False)

    def check(self) -> None:
        """See ``JournalStore``."""
        self._database.check()

    def close(self) -> None:
        """See ``JournalStore``."""
        self._database.close()
