"""What people look at, read from the journal: queries written in SQLAlchemy, run on the store's own connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Dialect, case, delete, func, literal_column, select, tuple_, union
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.selectable import SelectBase

from kitaru.errors import KitaruUsageError
from kitaru.store.database import Database, Rows, Transaction
from kitaru.store.leases import locked
from kitaru.store.memory_upkeep import drop_unread
from kitaru.store.records import (
    ArtifactRecord,
    CallRecord,
    ExecutionRecord,
    JsonDict,
    LinkRecord,
    LogRecord,
    StartRecord,
    Status,
    SubcallRecord,
    WaitKind,
    WaitRecord,
    WaitStatus,
)
from kitaru.store.rows import (
    LINK_COLUMNS,
    LOG_COLUMNS,
    SLIM_ARTIFACT_COLUMNS,
    SLIM_CALL_COLUMNS,
    SLIM_EXECUTION_COLUMNS,
    START_COLUMNS,
    SUBCALL_COLUMNS,
    WAIT_COLUMNS,
    to_artifact,
    to_call,
    to_execution,
    to_log,
    to_start,
    to_subcall,
    to_wait,
)
from kitaru.store.spending import UNUSED, family_query, usage_query, usage_row
from kitaru.store.tables import (
    artifacts,
    calls,
    executions,
    links,
    logs,
    memory_versions,
    metadata,
    starts,
    subcalls,
    waits,
)

GROUPS = ("flow", "model", "status", "day", "stack")
UNFINISHED = (Status.RUNNING, Status.WAITING)


def _listed(names: str, table: str) -> list[ColumnElement[Any]]:
    """The columns that a row's reader expects, in its order."""
    return [
        literal_column(name if name.startswith("CASE") else f"{table}.{name}").label(f"c{place}")
        for place, name in enumerate(names.split(", "))
    ]


def _dialect(name: str) -> Dialect:
    # Each is imported where it is used alone: it costs a tenth of a second.
    if name == "sqlite":
        from sqlalchemy.dialects.sqlite.base import SQLiteDialect

        return SQLiteDialect(paramstyle="qmark")
    from sqlalchemy.dialects.postgresql.base import PGDialect

    return PGDialect(paramstyle="qmark")


class SqlReads:
    """The readings of a store on one database. What its methods promise is said in ``protocol.py``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = _dialect(database.dialect)

    def _run(self, transaction: Transaction, statement: ClauseElement) -> Rows:
        compiled = statement.compile(dialect=self._dialect, compile_kwargs={"render_postcompile": True})
        values: Mapping[str, Any] = compiled.params or {}
        # Which parameter stands at which mark is known to the compiler alone.
        names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        return transaction.run(str(compiled), [values[name] for name in names])

    def _rows(self, statement: SelectBase) -> list[Any]:
        return self._database.read(lambda transaction: self._run(transaction, statement).fetchall())

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
        """See ``ReadStore``."""
        table = executions.c
        query = select(*_listed(SLIM_EXECUTION_COLUMNS, "executions")).select_from(executions)
        if flow is not None:
            query = query.where(table.flow_name == flow)
        if status is not None:
            query = query.where(table.status == status)
        if stack is not None:
            query = query.where(table.stack_name == stack)
        if since is not None:
            query = query.where(table.created_at >= since)
        if cursor is not None:
            query = query.where(tuple_(table.created_at, table.exec_id) < tuple_(*_place(cursor)))
        query = query.order_by(table.created_at.desc(), table.exec_id.desc()).limit(limit + 1)
        found = [to_execution(row) for row in self._rows(query)]
        if len(found) <= limit:
            return found, None
        last = found[limit - 1]
        return found[:limit], f"{last.created_at!r}/{last.exec_id}"

    def call_summaries(self, exec_id: str, call_id: str | None = None) -> list[CallRecord]:
        """See ``ReadStore``."""
        query = select(*_listed(SLIM_CALL_COLUMNS, "calls")).select_from(calls)
        query = query.where(calls.c.exec_id == exec_id)
        if call_id is not None:
            query = query.where(calls.c.call_id == call_id)
        return [to_call(row) for row in self._rows(query.order_by(calls.c.position, calls.c.seq))]

    def artifact_summaries(self, exec_id: str, call_id: str | None = None) -> list[ArtifactRecord]:
        """See ``ReadStore``."""
        table = artifacts.c
        made = (calls.c.exec_id == table.exec_id) & (calls.c.call_id == table.call_id)
        query = select(*_listed(SLIM_ARTIFACT_COLUMNS, "artifacts"))
        query = query.select_from(artifacts.outerjoin(calls, made)).where(table.exec_id == exec_id)
        if call_id is not None:
            query = query.where(table.call_id == call_id)
        query = query.order_by(calls.c.seq, table.call_id, table.ordinal)
        return [to_artifact(row) for row in self._rows(query)]

    def starts(self, exec_id: str) -> list[StartRecord]:
        """See ``ReadStore``."""
        ended = select(calls.c.seq).where(
            calls.c.exec_id == starts.c.exec_id, calls.c.call_id == starts.c.call_id
        )
        query = select(*_listed(START_COLUMNS, "starts")).select_from(starts)
        query = query.where(starts.c.exec_id == exec_id, ~ended.exists())
        return [to_start(row) for row in self._rows(query.order_by(starts.c.started_at, starts.c.call_id))]

    def logs(
        self,
        exec_id: str,
        *,
        call_id: str | None = None,
        name: str | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> list[LogRecord]:
        """See ``ReadStore``."""
        query = select(*_listed(f"{LOG_COLUMNS}, log_id", "logs")).select_from(logs)
        query = query.where(logs.c.exec_id == exec_id, logs.c.log_id > after_id)
        if call_id is not None:
            query = query.where(logs.c.call_id == call_id)
        if name is not None:
            named = union(
                *(
                    select(table.c.call_id).where(table.c.exec_id == exec_id, table.c.name == name)
                    for table in (calls, starts)
                )
            )
            query = query.where(logs.c.call_id.in_(named))
        return [to_log(row) for row in self._rows(query.order_by(logs.c.log_id).limit(limit))]

    def pending_waits(self, exec_id: str | None = None) -> list[tuple[str, WaitRecord]]:
        """See ``ReadStore``."""
        query = select(waits.c.exec_id, *_listed(WAIT_COLUMNS, "waits"))
        query = query.join(executions, executions.c.exec_id == waits.c.exec_id)
        # Written out, so that the index on open questions is seen to fit.
        query = query.where(
            waits.c.status == literal_column(f"'{WaitStatus.PENDING}'"),
            waits.c.kind == literal_column(f"'{WaitKind.INPUT}'"),
            executions.c.status.in_(UNFINISHED),
        )
        if exec_id is not None:
            query = query.where(waits.c.exec_id == exec_id)
        query = query.order_by(waits.c.created_at, waits.c.exec_id, waits.c.call_id)
        return [(row[0], to_wait(row[1:])) for row in self._rows(query)]

    def statistics(self, group_by: str) -> list[JsonDict]:
        """See ``ReadStore``."""
        place = self._model() if group_by == "model" else self._group(group_by, subcalls.c.started_at)
        used = dict(map(usage_row, self._rows(usage_query(place))))
        if group_by == "model":
            return [{"group": group, **used[group]} for group in sorted(used)]
        counted = self._counts(group_by)
        uncounted = dict.fromkeys(("executions", *Status, "checkpoints"), 0) | {"mean_seconds": None}
        return [
            {"group": group, **counted.get(group, uncounted), **used.get(group, UNUSED)}
            for group in sorted({*counted, *used}, key=lambda name: name or "")
        ]

    def _counts(self, group_by: str) -> dict[Any, JsonDict]:
        table = executions.c
        group = self._group(group_by, table.created_at)
        counts = [
            func.count(case((table.status == status.value, 1))).label(status.value) for status in Status
        ]
        seconds = func.avg(table.ended_at - table.started_at)
        query = select(group, func.count(), *counts, seconds).select_from(executions).group_by(group)
        called = select(group, func.count()).select_from(executions)
        called = called.join(calls, calls.c.exec_id == table.exec_id).where(calls.c.kind == "checkpoint")
        checkpoints = {row[0]: row[1] for row in self._rows(called.group_by(group))}
        found: dict[Any, JsonDict] = {}
        for name, total, *by_status, mean in self._rows(query):
            row: JsonDict = {"executions": total}
            row |= {status.value: count for status, count in zip(Status, by_status, strict=True)}
            found[name] = row | {"checkpoints": checkpoints.get(name, 0), "mean_seconds": mean}
        return found

    @staticmethod
    def _model() -> ColumnElement[Any]:
        """``provider/model``, as far as they are known."""
        model = func.coalesce(subcalls.c.model, "unknown")
        return case((subcalls.c.provider.is_(None), model), else_=subcalls.c.provider + "/" + model)

    def _group(self, group_by: str, moment: ColumnElement[Any]) -> ColumnElement[Any]:
        table = executions.c
        if group_by == "flow":
            return table.flow_name
        if group_by == "status":
            return table.status
        if group_by == "stack":
            return table.stack_name
        if group_by != "day":
            raise KitaruUsageError(
                f"Statistics cannot be grouped by {group_by!r}; write one of {', '.join(GROUPS)}."
            )
        if self._database.dialect == "sqlite":
            return literal_column(f"date({moment}, 'unixepoch')")
        return literal_column(f"to_char(to_timestamp({moment}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')")

    def subcalls(self, exec_id: str, call_id: str | None = None) -> list[SubcallRecord]:
        """See ``ReadStore``."""
        query = select(*_listed(SUBCALL_COLUMNS, "subcalls")).select_from(subcalls)
        query = query.where(subcalls.c.exec_id == exec_id)
        if call_id is not None:
            query = query.where(subcalls.c.call_id == call_id)
        query = query.order_by(subcalls.c.started_at, subcalls.c.child_id)
        return [to_subcall(row) for row in self._rows(query)]

    def usage(self, exec_ids: Sequence[str]) -> dict[str, JsonDict]:
        """See ``ReadStore``."""
        found = dict(map(usage_row, self._rows(family_query(exec_ids)))) if exec_ids else {}
        return {exec_id: found.get(exec_id, UNUSED) for exec_id in exec_ids}

    def links_from(self, exec_id: str) -> list[LinkRecord]:
        """See ``ReadStore``."""
        query = select(*_listed(LINK_COLUMNS, "links")).select_from(links).where(links.c.exec_id == exec_id)
        return [LinkRecord(*row) for row in self._rows(query.order_by(links.c.call_id, links.c.source))]

    def links_to(self, source_exec_id: str) -> list[tuple[str, LinkRecord]]:
        """See ``ReadStore``."""
        query = select(*_listed(f"exec_id, {LINK_COLUMNS}", "links")).select_from(links)
        query = query.where(links.c.source_exec_id == source_exec_id)
        query = query.order_by(links.c.exec_id, links.c.call_id, links.c.source)
        return [(row[0], LinkRecord(*row[1:])) for row in self._rows(query)]

    def replays_of(self, exec_id: str) -> list[str]:
        """See ``ReadStore``."""
        table = executions.c
        query = select(table.exec_id).where(table.original_exec_id == exec_id)
        return [row[0] for row in self._rows(query.order_by(table.created_at, table.exec_id))]

    def purge(self, exec_ids: Sequence[str]) -> int:
        """See ``ReadStore``."""
        tables = [
            table
            for table in metadata.sorted_tables
            if "exec_id" in table.c and table not in (executions, memory_versions)
        ]

        def delete_finished(transaction: Transaction) -> int:
            known = select(executions.c.exec_id).where(executions.c.exec_id.in_(sorted(set(exec_ids))))
            found = [row[0] for row in self._run(transaction, known).fetchall()]
            ended = [exec_id for exec_id in sorted(found) if locked(transaction, exec_id).status.is_finished]
            for exec_id in ended:
                for table in (*tables, executions):
                    self._run(transaction, delete(table).where(table.c.exec_id == exec_id))
            drop_unread(transaction)
            return len(ended)

        return self._database.write(delete_finished) if exec_ids else 0


def _place(cursor: str) -> tuple[float, str]:
    created_at, _, exec_id = cursor.partition("/")
    try:
        return float(created_at), exec_id
    except ValueError:
        raise KitaruUsageError(
            f"{cursor!r} is not a cursor. Use the one that came with the page before, or none."
        ) from None
