"""The records of checkpoints, straight to libpq: prepared once a connection, alone or many in one transaction.

A third of a checkpoint's time would otherwise go into adapting its parameters and waiting for it in Python.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from kitaru.store import statements
from kitaru.store.rows import CALL_COLUMNS

_INSERT, _LOCK = b"kitaru_insert_call", b"kitaru_lock_shared"
_TEXT, _TEXTS, _BIGINT, _DOUBLE, _BYTEA = 25, 1009, 20, 701, 17
_OIDS = {
    **dict.fromkeys(("seq", "position", "attempts", "output_size"), _BIGINT),
    **dict.fromkeys(("started_at", "ended_at"), _DOUBLE),
    "output_data": _BYTEA,
}
# As the statement names them: the row with its execution, then the fence (execution and epoch).
_TYPES = [_TEXT, *(_OIDS.get(name, _TEXT) for name in CALL_COLUMNS.split(", ")), _TEXT, _BIGINT]
_FORMATS = [1 if oid == _BYTEA else 0 for oid in _TYPES]

_prepared: WeakSet[psycopg.Connection[Any]] = WeakSet()


def insert_call(connection: psycopg.Connection[Any], parameters: Sequence[Any]) -> int | None:
    """Run ``INSERT_CALL`` in a transaction of its own; how many rows it wrote.

    None: it did not succeed. Run it the ordinary way then: that raises the error, and writes nothing twice.
    """
    if not _prepare(connection):
        return None
    result = connection.pgconn.exec_prepared(_INSERT, _wired(parameters), _FORMATS, 1)
    return result.command_tuples if result.status == ExecStatus.COMMAND_OK else None


def insert_calls(
    connection: psycopg.Connection[Any], exec_ids: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[int] | None:
    """Run ``INSERT_CALL`` for each row, all in one transaction and one round trip; how many rows each wrote.

    ``exec_ids`` are the executions' ids in order: their rows are locked first. None: nothing was committed, and the
    connection is to be rolled back. Raises ``psycopg.OperationalError`` when the connection was lost.
    """
    if not _prepare(connection):
        return None
    # First of all: a text that no database can hold is found before anything is sent.
    wired = [_wired(row) for row in rows]
    pgconn = connection.pgconn
    pgconn.enter_pipeline_mode()
    try:
        pgconn.send_query_params(b"BEGIN", None)
        pgconn.send_query_prepared(_LOCK, [_array(exec_ids)], [0], 1)
        for values in wired:
            pgconn.send_query_prepared(_INSERT, values, _FORMATS, 1)
        pgconn.send_query_params(b"COMMIT", None)
        pgconn.pipeline_sync()
        results = _results(pgconn, len(rows) + 3)
        pgconn.exit_pipeline_mode()
    except BaseException:
        # Nobody can use a connection with half a pipeline in it.
        connection.close()
        raise
    if results[-1].command_status != b"COMMIT":
        return None
    return [result.command_tuples or 0 for result in results[2:-1]]


def _prepare(connection: psycopg.Connection[Any]) -> bool:
    if connection not in _prepared:
        pgconn = connection.pgconn
        wanted = (
            (_INSERT, statements.INSERT_CALL, _TYPES),
            (_LOCK, statements.LOCK_SHARED, [_TEXTS]),
        )
        for name, text, types in wanted:
            if pgconn.prepare(name, _numbered(text), types).status != ExecStatus.COMMAND_OK:
                return False
        _prepared.add(connection)
    return True


def _results(pgconn: PGconn, count: int) -> list[PGresult]:
    """The results of so many statements and of the sync behind them, waiting with the interpreter's lock free."""
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN | select.POLLOUT)
    while pgconn.flush():
        poll.poll()
        pgconn.consume_input()
    poll.modify(pgconn.socket, select.POLLIN)
    found: list[PGresult] = []
    while len(found) <= count:
        while pgconn.is_busy():
            poll.poll()
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is not None:
            found.append(result)
    return found[:count]


def _wired(values: Sequence[Any]) -> list[Any]:
    return [_wire(value) for value in values]


def _wire(value: Any) -> bytes | None:
    if value is None or type(value) is bytes:
        return value
    return value.encode() if isinstance(value, str) else repr(value).encode()


def _array(texts: Sequence[str]) -> bytes:
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return f"{{{','.join(quoted)}}}".encode()


def _numbered(statement: str) -> bytes:
    head, *rest = statement.replace("{share}", " FOR SHARE").split("?")
    return (head + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))).encode()
