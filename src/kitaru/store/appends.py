"""Appends as statements that cannot fail: each writes only while the lease is held, and only what is not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kitaru.errors import KitaruRuntimeError
from kitaru.store import statements as sql
from kitaru.store.protocol import Fenced
from kitaru.store.records import Append, CallRecord
from kitaru.store.rows import artifact_row, attempt_row, call_row, intent_row, link_row, subcall_row, wait_row

if TYPE_CHECKING:
    from kitaru.store.database import Transaction

Statement = tuple[str, Sequence[Any]]


class PreparedAppend:
    """An append, ready to run: ``statements`` write it, ``verify`` tells what it means that one wrote no row."""

    __slots__ = ("calls", "epoch", "exec_id", "locks", "statements")

    def __init__(self, write: Append) -> None:
        exec_id, epoch = write.exec_id, write.epoch
        fence = (exec_id, epoch)
        self.exec_id = exec_id
        self.epoch = epoch
        self.calls = write.calls
        # With the children that it waits for: none may finish while this is being committed.
        self.locks: Sequence[str] = ()
        self.statements: list[Statement] = [
            (sql.INSERT_CALL, (*call_row(exec_id, call), *fence)) for call in write.calls
        ]
        if write.attempts:
            rows = [attempt_row(exec_id, attempt) for attempt in write.attempts]
            self.statements += [(sql.INSERT_ATTEMPT, (*row, *fence)) for row in rows]
        if write.intents:
            rows = [intent_row(exec_id, intent) for intent in write.intents]
            self.statements += [(sql.INSERT_INTENT, (*row, *fence)) for row in rows]
        if write.artifacts:
            rows = [artifact_row(exec_id, artifact) for artifact in write.artifacts]
            self.statements += [(sql.INSERT_ARTIFACT, (*row, *fence)) for row in rows]
        if write.subcalls:
            rows = [subcall_row(exec_id, subcall) for subcall in write.subcalls]
            self.statements += [(sql.INSERT_SUBCALL, (*row, *fence)) for row in rows]
        if write.links:
            rows = [link_row(exec_id, link) for link in write.links]
            self.statements += [(sql.INSERT_LINK, (*row, *fence)) for row in rows]
        if write.waits:
            self.statements += [(sql.INSERT_WAIT, (*wait_row(exec_id, wait), *fence)) for wait in write.waits]
            children = {wait.child_exec_id for wait in write.waits if wait.child_exec_id is not None}
            self.locks = sorted({exec_id, *children}) if children else ()
        if write.blobs:
            # In order, so that two transactions never wait for each other's blobs.
            ordered = sorted(write.blobs, key=lambda blob: blob.digest)
            self.statements += [(sql.INSERT_HELD_BLOB, (blob.digest, blob.data, *fence)) for blob in ordered]

    @property
    def is_plain(self) -> bool:
        """True for the record of one call and nothing else."""
        return len(self.statements) == 1 and self.statements[0][0] is sql.INSERT_CALL and not self.locks

    def run(self, transaction: Transaction) -> None:
        """Write all within the transaction; raises like ``verify``."""
        for exec_id in self.locks:
            transaction.run(sql.LOCK_ONE_SHARED, (exec_id,)).fetchone()
        counts = [
            transaction.run(statement, parameters).rowcount for statement, parameters in self.statements
        ]
        if not counts or 0 in counts:
            self.verify(transaction)

    def verify(self, transaction: Transaction) -> None:
        """Raise ``Fenced`` when the lease is not held. Otherwise the rows that were not written are there already."""
        if transaction.run(sql.IS_HELD, (self.exec_id, self.epoch)).fetchone() is None:
            raise fenced(self.exec_id, self.epoch)
        for call in self.calls:
            self._verify_call(transaction, call)

    def _verify_call(self, transaction: Transaction, call: CallRecord) -> None:
        found = transaction.run(sql.CALL_AT, (self.exec_id, call.seq)).fetchone()
        if found is None or found[0] != call.call_id:
            there = "another seq" if found is None else f"call {found[0]!r}"
            raise KitaruRuntimeError(
                f"The journal of execution {self.exec_id} cannot take call {call.call_id!r} as record {call.seq}: it "
                f"holds {there} already. Two runners write under one lease. Stop this process, then type "
                f"`kitaru executions resume {self.exec_id}`."
            )


def fenced(exec_id: str, epoch: int) -> Fenced:
    """The error of a runner whose lease is not the current one."""
    return Fenced(
        f"Execution {exec_id} is not held under epoch {epoch} any more: another runner has taken it over, or it was "
        f"given back or has ended. Nothing was recorded. See `kitaru executions get {exec_id}`."
    )
