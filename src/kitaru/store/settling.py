"""What reaches an execution from outside, and what takes calls back out of its journal."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kitaru.errors import KitaruStateError
from kitaru.store import statements as sql
from kitaru.store.database import Transaction
from kitaru.store.leases import close, execution, held, lock_in_order, locked, put_blobs, waiting_parents
from kitaru.store.records import AttemptRecord, Blob, ExecutionRecord, JsonDict, Payload, Status, WaitStatus
from kitaru.store.rows import attempt_row, payload_row, to_json


def settle(
    transaction: Transaction,
    exec_id: str,
    call_id: str,
    status: str,
    answer: Payload | None,
    by: str | None,
    blobs: Sequence[tuple[str, bytes]],
) -> bool:
    """Settle a pending wait and make its execution ready."""
    lease = locked(transaction, exec_id)
    row = transaction.run(sql.WAIT_STATUS, (exec_id, call_id)).fetchone()
    if row is None:
        raise KitaruStateError(
            f"Execution {exec_id} has no wait {call_id!r}. See `kitaru executions get {exec_id}`."
        )
    if lease.status.is_finished or row[0] != WaitStatus.PENDING:
        return False
    put_blobs(transaction, [Blob(digest, data) for digest, data in blobs])
    transaction.run(sql.SETTLE, (status, *payload_row(answer), by, exec_id, call_id))
    transaction.run(sql.MAKE_READY, (exec_id,))
    return True


def reject(transaction: Transaction, exec_id: str, epoch: int, call_id: str, reason: str) -> None:
    """Ask again."""
    held(transaction, exec_id, epoch)
    row = transaction.run(sql.WAIT_METADATA, (exec_id, call_id)).fetchone()
    if row is not None:
        metadata = {**_dict(row[0]), "rejected": reason}
        transaction.run(sql.REJECT, (to_json(metadata), exec_id, call_id))


def request_cancel(transaction: Transaction, exec_id: str, dead_owner: str | None) -> Status:
    """Cancel an execution and its unfinished children; the new status."""
    family = _unfinished_family(transaction, exec_id)
    waiting = [parent for member in family for parent in waiting_parents(transaction, member)]
    lock_in_order(transaction, [*family, *waiting])
    return _cancel(transaction, exec_id, dead_owner)


def _unfinished_family(transaction: Transaction, exec_id: str) -> list[str]:
    family = [exec_id]
    for member in family:
        family += [row[0] for row in transaction.run(sql.UNFINISHED_CHILDREN, (member,)).fetchall()]
    return family


def _cancel(transaction: Transaction, exec_id: str, dead_owner: str | None) -> Status:
    lease = locked(transaction, exec_id)
    status = lease.status
    if status.is_finished:
        return status
    if lease.is_free(dead_owner):
        status = Status.CANCELLED
        close(transaction, exec_id, status, None, None, 1, 0.0)
    else:
        transaction.run(sql.REQUEST_CANCEL, (exec_id,))
    for (child,) in transaction.run(sql.UNFINISHED_CHILDREN, (exec_id,)).fetchall():
        _cancel(transaction, child, dead_owner)
    return status


def void(
    transaction: Transaction, exec_id: str, epoch: int, calls: Sequence[str], attempt: AttemptRecord
) -> None:
    """Take failed calls back, under the runner's own lease."""
    held(transaction, exec_id, epoch)
    if transaction.run(sql.HAS_ATTEMPT, (exec_id, attempt.call_id, attempt.attempt)).fetchone() is not None:
        return  # a repeat
    _drop_failed(transaction, exec_id, calls)
    transaction.run(sql.ADD_ATTEMPT, attempt_row(exec_id, attempt))
    transaction.run(sql.FORGET_TAKEOVERS, (exec_id,))


def reopen(transaction: Transaction, exec_id: str, void_calls: Sequence[str]) -> ExecutionRecord:
    """Make an execution that failed or was cancelled run again."""
    lease = locked(transaction, exec_id)
    if lease.status not in (Status.FAILED, Status.CANCELLED):
        hint = (
            "There is nothing to retry; `kitaru executions replay` makes a new execution from it."
            if lease.status is Status.COMPLETED
            else f"Wait for its end, or type `kitaru executions resume {exec_id}` if its runner died."
        )
        raise KitaruStateError(f"Execution {exec_id} is {lease.status}, not failed or cancelled. {hint}")
    _drop_failed(transaction, exec_id, void_calls)
    transaction.run(sql.DROP_CLOSED_WAITS, (exec_id,))
    transaction.run(sql.REOPEN, (exec_id,))
    return execution(transaction, exec_id)


def _drop_failed(transaction: Transaction, exec_id: str, calls: Sequence[str]) -> None:
    """The failed ones among the calls become attempts. What they saved, and the wait that they stood for, goes."""
    for call_id in calls:
        failed = transaction.run(sql.FAILED_CALL, (exec_id, call_id)).fetchone()
        if failed is None:
            continue
        error, started_at, ended_at = failed
        number = transaction.run(sql.LAST_ATTEMPT, (exec_id, call_id)).fetchone()[0] + 1
        transaction.run(sql.ADD_ATTEMPT, (exec_id, call_id, number, error or "{}", started_at, ended_at))
        for statement in (sql.DROP_CALL, sql.DROP_ARTIFACTS, sql.DROP_WAIT):
            transaction.run(statement, (exec_id, call_id))


def merge_metadata(transaction: Transaction, exec_id: str, metadata: JsonDict) -> None:
    """Merge into the metadata of an execution whose row this locks."""
    row = transaction.run(sql.LOCK_METADATA, (exec_id,)).fetchone()
    transaction.run(sql.SET_METADATA, (to_json({**_dict(row[0]), **metadata}), exec_id))


def merge_spec(transaction: Transaction, exec_id: str, more: JsonDict, epoch: int | None) -> None:
    """Merge into the spec of an execution, as the runner that holds it or (without epoch) as anybody."""
    if epoch is not None:
        held(transaction, exec_id, epoch)
    else:
        locked(transaction, exec_id)
    row = transaction.run(sql.LOCK_SPEC, (exec_id,)).fetchone()
    transaction.run(sql.SET_SPEC, (to_json({**_dict(row[0]), **more}), exec_id))


def _dict(text: str | None) -> JsonDict:
    return json.loads(text) if text else {}
