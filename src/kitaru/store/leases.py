"""Who may write to an execution: leases, heartbeats, suspension and the end, each within one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kitaru.errors import KitaruStateError
from kitaru.store import statements as sql
from kitaru.store.appends import fenced
from kitaru.store.database import Transaction
from kitaru.store.records import Beat, Blob, Created, ExecutionRecord, Finish, NewExecution, Payload, Status
from kitaru.store.rows import link_row, payload_row, to_execution, to_json

CHUNK = 500


@dataclass(slots=True)
class Lease:
    """The part of an execution's row that says who may do what; ``now`` is the database's clock."""

    status: Status
    epoch: int
    owner: str | None
    until: float | None
    now: float
    cancel_requested: bool
    takeovers: int
    counted_seq: int

    def is_free(self, dead_owner: str | None) -> bool:
        """True when no runner that lives holds it."""
        return self.owner is None or self.owner == dead_owner or self.until is None or self.until <= self.now


def missing(exec_id: str) -> KitaruStateError:
    """The error for an id that no execution has."""
    return KitaruStateError(f"There is no execution {exec_id!r}. See `kitaru executions list`.")


def locked(transaction: Transaction, exec_id: str) -> Lease:
    """Lock the execution's row against all other changes and read its lease."""
    row = transaction.run(sql.LOCK_EXECUTION, (exec_id,)).fetchone()
    if row is None:
        raise missing(exec_id)
    status, epoch, owner, until, now, cancel_requested, takeovers, counted_seq = row
    return Lease(Status(status), epoch, owner, until, now, bool(cancel_requested), takeovers, counted_seq)


def lock_in_order(transaction: Transaction, exec_ids: Iterable[str]) -> None:
    """Lock several rows. All who lock several do it in the order of their ids, so that none wait for each other."""
    for chunk in _chunks(exec_ids):
        listed = sql.LOCK_IN_ORDER.replace("()", f"({sql.marks(len(chunk))})")
        transaction.run(listed, chunk).fetchall()


def held(transaction: Transaction, exec_id: str, epoch: int) -> Lease:
    """Lock the row as the runner that holds it; raises ``Fenced`` for any other."""
    lease = locked(transaction, exec_id)
    if lease.epoch != epoch or lease.owner is None:
        raise fenced(exec_id, epoch)
    return lease


def execution(transaction: Transaction, exec_id: str) -> ExecutionRecord:
    """The whole row."""
    row = transaction.run(sql.EXECUTION, (exec_id,)).fetchone()
    if row is None:
        raise missing(exec_id)
    return to_execution(row)


def create(transaction: Transaction, new: NewExecution) -> Created:
    """Insert an execution, or find the one that is there."""
    values = (
        new.exec_id,
        new.flow_name,
        new.flow_id,
        to_json(new.spec),
        to_json(new.inputs),
        new.stack_name,
        new.idempotency_key,
        new.original_exec_id,
        new.parent_exec_id,
        new.parent_call_id,
        new.launch_id,
        new.launch_ordinal,
        new.lease_owner,
    )
    if new.lease_owner is None:
        inserted = transaction.run(sql.INSERT_EXECUTION, values).rowcount
    else:
        inserted = transaction.run(sql.INSERT_HELD_EXECUTION, (*values, new.lease_seconds)).rowcount
    if inserted:
        put_blobs(transaction, new.blobs)
        return Created(execution(transaction, new.exec_id), created=True)
    row = transaction.run(sql.EXECUTION, (new.exec_id,)).fetchone()
    if row is None:
        row = transaction.run(sql.EXECUTION_BY_KEY, (new.flow_name, new.idempotency_key)).fetchone()
    return Created(to_execution(row), created=False)


def put_blobs(transaction: Transaction, blobs: Sequence[Blob]) -> None:
    """Keep blobs; those that are there already stay as they are."""
    for blob in sorted(blobs, key=lambda blob: blob.digest):
        transaction.run(sql.INSERT_BLOB, (blob.digest, blob.data))


def take(
    transaction: Transaction, exec_id: str, owner: str, lease_seconds: float, dead_owner: str | None
) -> ExecutionRecord | None:
    """Take the lease, if it is free."""
    lease = locked(transaction, exec_id)
    if lease.status.is_finished or not lease.is_free(dead_owner):
        return None
    takeovers, counted_seq = lease.takeovers, lease.counted_seq
    if lease.status is Status.RUNNING and lease.owner is not None:
        last_seq = transaction.run(sql.LAST_SEQ, (exec_id,)).fetchone()[0]
        takeovers = 1 if last_seq > counted_seq else takeovers + 1
        counted_seq = last_seq
    transaction.run(sql.TAKE, (owner, lease_seconds, takeovers, counted_seq, exec_id))
    return execution(transaction, exec_id)


def release(transaction: Transaction, exec_id: str, epoch: int) -> None:
    """Give the lease back, to be taken by anybody."""
    lease = locked(transaction, exec_id)
    if lease.epoch == epoch and lease.owner is None and lease.status is Status.RUNNING:
        return  # a repeat
    if lease.epoch != epoch or lease.owner is None:
        raise fenced(exec_id, epoch)
    transaction.run(sql.RELEASE, (exec_id,))


def extend(transaction: Transaction, owner: str, held_epochs: Mapping[str, int], seconds: float) -> None:
    """Extend the leases that are still the owner's."""
    lock_in_order(transaction, held_epochs)
    for chunk in _chunks(held_epochs):
        transaction.run(f"{sql.EXTEND}({sql.marks(len(chunk))})", (seconds, owner, *chunk))


def signals(transaction: Transaction, owner: str, held_epochs: Mapping[str, int]) -> dict[str, Beat]:
    """Which leases are still the owner's, and which executions are to be cancelled."""
    beats = {exec_id: Beat(held=False, cancel_requested=False) for exec_id in held_epochs}
    for chunk in _chunks(held_epochs):
        rows = transaction.run(f"{sql.SIGNALS}({sql.marks(len(chunk))})", chunk).fetchall()
        for exec_id, epoch, lease_owner, cancel_requested in rows:
            is_held = lease_owner == owner and epoch == held_epochs[exec_id]
            beats[exec_id] = Beat(held=is_held, cancel_requested=bool(cancel_requested))
    return beats


def _chunks(exec_ids: Iterable[str]) -> list[list[str]]:
    ids = sorted(set(exec_ids))
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def suspend(transaction: Transaction, exec_id: str, epoch: int, active_seconds: float) -> bool:
    """Commit ``waiting``, unless there is something to go on with."""
    lease = locked(transaction, exec_id)
    if lease.epoch == epoch and lease.status is Status.WAITING:
        return True  # a repeat
    if lease.epoch != epoch or lease.owner is None:
        raise fenced(exec_id, epoch)
    if lease.cancel_requested or transaction.run(sql.NEWS, (exec_id,)).fetchone() is not None:
        return False
    transaction.run(sql.SUSPEND, (active_seconds, exec_id))
    return True


def finish(transaction: Transaction, end: Finish) -> list[str]:
    """Commit the end, and wake the parents that wait for it."""
    parents = waiting_parents(transaction, end.exec_id)
    if parents:
        lock_in_order(transaction, [*parents, end.exec_id])
    lease = locked(transaction, end.exec_id)
    if lease.epoch == end.epoch and lease.owner is None and lease.status is end.status:
        return [row[0] for row in transaction.run(sql.READY_PARENTS, (end.exec_id,)).fetchall()]
    if lease.epoch != end.epoch or lease.owner is None:
        raise fenced(end.exec_id, end.epoch)
    put_blobs(transaction, end.blobs)
    for link in end.links:
        transaction.run(sql.INSERT_RESULT_LINK, link_row(end.exec_id, link))
    return close(
        transaction, end.exec_id, end.status, end.result, to_json(end.failure), 0, end.active_seconds
    )


def waiting_parents(transaction: Transaction, exec_id: str) -> set[str]:
    """The executions that wait for the end of this one."""
    return {row[0] for row in transaction.run(sql.WAITING_PARENTS, (exec_id,)).fetchall()}


def close(
    transaction: Transaction,
    exec_id: str,
    status: Status,
    result: Payload | None,
    failure: str | None,
    epochs: int,
    active_seconds: float,
) -> list[str]:
    """End an execution whose row is locked, ``epochs`` later; returns the parents that this made ready."""
    transaction.run(sql.FINISH, (status, *payload_row(result), failure, epochs, active_seconds, exec_id))
    transaction.run(sql.CLOSE_WAITS, (exec_id,))
    transaction.run(sql.DROP_STARTS, (exec_id,))
    parents = waiting_parents(transaction, exec_id)
    if not parents:
        return []
    lock_in_order(transaction, parents)
    # Now that they are locked none can be settled by somebody else, or fall asleep.
    answered = waiting_parents(transaction, exec_id)
    transaction.run(sql.ANSWER_PARENTS, (exec_id,))
    return [parent for parent in sorted(answered) if transaction.run(sql.MAKE_READY, (parent,)).rowcount]
