"""The statement that a checkpoint costs on PostgreSQL, straight to libpq: one record, prepared once a connection.

A third of the time that psycopg's cursors would take for it goes into adapting parameters and waiting in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import ExecStatus

from kitaru.store import statements
from kitaru.store.rows import CALL_COLUMNS

_NAME = b"kitaru_insert_call"
_TEXT, _BIGINT, _DOUBLE, _BYTEA = 25, 20, 701, 17
_OIDS = {
    **dict.fromkeys(("seq", "position", "attempts", "output_size"), _BIGINT),
    **dict.fromkeys(("started_at", "ended_at"), _DOUBLE),
    "output_data": _BYTEA,
}
# As the statement names them: the row with its execution, then the fence (execution and epoch).
_TYPES = [_TEXT, *(_OIDS.get(name, _TEXT) for name in CALL_COLUMNS.split(", ")), _TEXT, _BIGINT]
_FORMATS = [1 if oid == _BYTEA else 0 for oid in _TYPES]

_prepared: WeakKeyDictionary[psycopg.Connection[Any], bool] = WeakKeyDictionary()


def insert_call(connection: psycopg.Connection[Any], parameters: Sequence[Any]) -> int | None:
    """Run ``INSERT_CALL`` in a transaction of its own; how many rows it wrote.

    None: it did not succeed. Run it the ordinary way then: that raises the error, and writes nothing twice.
    """
    pgconn = connection.pgconn
    if connection not in _prepared:
        if pgconn.prepare(_NAME, _statement(), _TYPES).status != ExecStatus.COMMAND_OK:
            return None
        _prepared[connection] = True
    values: list[Any] = [_wire(value) for value in parameters]  # the stubs know no NULL
    result = pgconn.exec_prepared(_NAME, values, _FORMATS, 1)
    return result.command_tuples if result.status == ExecStatus.COMMAND_OK else None


def _wire(value: Any) -> bytes | None:
    if value is None or type(value) is bytes:
        return value
    return value.encode() if isinstance(value, str) else repr(value).encode()


def _statement() -> bytes:
    text = statements.INSERT_CALL.replace("{share}", " FOR SHARE")
    head, *rest = text.split("?")
    return (head + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))).encode()
