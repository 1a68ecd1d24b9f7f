"""PostgreSQL: a pool of connections for most work, and one on which appends are committed, many in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import psycopg

from kitaru.errors import KitaruBackendError, KitaruError
from kitaru.store import statements
from kitaru.store.appends import PreparedAppend
from kitaru.store.commits import Entry, GroupCommit
from kitaru.store.database import Transaction
from kitaru.store.forks import close_at_forks
from kitaru.store.pool import Pool
from kitaru.store.postgres_connections import (
    connect,
    is_conflict,
    is_lost,
    is_unusable,
    prepare_schema,
    shown_name,
    translated,
)
from kitaru.store.postgres_insert import insert_call, insert_calls
from kitaru.store.protocol import Fenced

T = TypeVar("T")

CONNECTIONS = 10
CONFLICTS = 10

_CLOCK = "extract(epoch from clock_timestamp())::float8"
_SET_CLOCK = "current_setting('kitaru.now')::float8"

_texts: dict[tuple[str, bool], str] = {}


class PostgresTransaction:
    """Runs statements on a connection; ``clock_is_set`` tells that the session's setting stands for the clock."""

    __slots__ = ("_clock_is_set", "_connection")

    def __init__(self, connection: psycopg.Connection[Any], *, clock_is_set: bool) -> None:
        self._connection = connection
        self._clock_is_set = clock_is_set

    def text(self, sql: str) -> Any:
        """A statement as psycopg takes it."""
        key = (sql, self._clock_is_set)
        text = _texts.get(key)
        if text is None:
            text = sql.replace("%", "%%").replace("?", "%s")
            text = text.replace("{now}", _SET_CLOCK if self._clock_is_set else _CLOCK)
            text = text.replace("{lock}", " FOR UPDATE").replace("{share}", " FOR SHARE")
            _texts[key] = text
        return text

    def run(
        self, sql: str, parameters: Sequence[Any] = (), *, prepare: bool | None = None
    ) -> psycopg.Cursor[Any]:
        """Run one statement."""
        return self._connection.execute(self.text(sql), parameters, prepare=prepare, binary=True)

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        with self._connection.cursor() as cursor:
            cursor.executemany(self.text(sql), rows)


class PostgresDatabase:
    """A PostgreSQL database, 14 or newer."""

    dialect = "postgres"

    def __init__(self, url: str, clock: Callable[[], float] | None = None) -> None:
        self._url = url
        self._clock = clock
        self.name = shown_name(url)
        self._closed = False
        self._writer: psycopg.Connection[Any] | None = None
        self._start()
        try:
            self.check()
        except BaseException:
            self.close()
            raise
        close_at_forks(self)

    def _start(self) -> None:
        self._group = GroupCommit(self._commit)
        self._pool = Pool(self._connect, is_unusable, CONNECTIONS)

    def now(self) -> float:
        """The server's clock."""
        return self.read(lambda transaction: transaction.run("SELECT {now}").fetchone())[0]

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Let ``work`` read; once more on another connection when the first was lost."""
        try:
            return self._read(work)
        except psycopg.Error as error:
            if not is_lost(error):
                raise translated(error, self.name) from error
        self._pool.drop_idle()
        try:
            return self._read(work)
        except psycopg.Error as error:
            raise translated(error, self.name) from error

    def _read(self, work: Callable[[Transaction], T]) -> T:
        with self._pool.connection() as connection:
            return work(self._on(connection))

    def write(self, work: Callable[[Transaction], T], *, repeatable: bool = True) -> T:
        """Let ``work`` write in a transaction of its own."""
        conflicts = 0
        lost = False
        while True:
            committing: list[bool] = []
            try:
                with self._pool.connection() as connection:
                    return self._transact(connection, work, committing)
            except psycopg.Error as error:
                if is_conflict(error) and conflicts < CONFLICTS:
                    conflicts += 1
                elif is_lost(error) and not lost and (repeatable or not committing):
                    lost = True
                    self._pool.drop_idle()
                else:
                    raise translated(error, self.name, unknown=bool(committing)) from error

    def _transact(
        self, connection: psycopg.Connection[Any], work: Callable[[Transaction], T], committing: list[bool]
    ) -> T:
        transaction = self._on(connection)
        connection.execute("BEGIN")
        try:
            value = work(transaction)
        except BaseException:
            if not connection.broken:
                connection.execute("ROLLBACK")
            raise
        committing.append(True)
        connection.execute("COMMIT")
        return value

    def append(self, write: PreparedAppend) -> None:
        """Commit an append."""
        self._group.run(write)

    def check(self) -> None:
        """Reach the server, and compare the version of the schema."""
        try:
            with self._pool.connection() as connection:
                prepare_schema(connection, self._url, self.name)
        except psycopg.Error as error:
            raise translated(error, self.name) from error

    def close(self) -> None:
        """Close all connections, once nobody uses them."""
        entry = self._group.lead_alone()
        try:
            self._closed = True
            self._pool.pause()
            self._drop_writer()
            self._pool.resume()
        finally:
            self._group.end_alone(entry)

    # ---------------------------------------------------------------- forks

    def before_fork(self) -> None:
        """Close everything; the lead is kept over the fork."""
        self._forking = self._group.lead_alone()
        self._pool.pause()
        self._drop_writer()

    def after_fork(self, *, in_child: bool) -> None:
        """Go on; in the child without the writes that threads of the parent had queued."""
        if in_child:
            self._start()
        else:
            self._pool.resume()
            self._group.end_alone(self._forking)

    # ---------------------------------------------------------------- committing

    def _commit(self, batch: list[Entry]) -> None:
        try:
            self._try_batch(batch)
        except psycopg.Error as error:
            for entry in batch:
                if not entry.settled:
                    entry.fail(translated(error, self.name))
        except KitaruBackendError as error:
            for entry in batch:
                if not entry.settled:
                    entry.fail(KitaruBackendError(str(error), transient=error.transient))
        except BaseException:
            self._drop_writer()
            raise

    def _try_batch(self, batch: list[Entry]) -> None:
        """Commit; again on another connection when the first was lost: what had been committed is found then."""
        try:
            self._commit_batch(self._open_writer(), batch)
        except psycopg.Error as error:
            self._drop_writer()
            if not is_lost(error) and not is_conflict(error):
                raise
            unsettled = [entry for entry in batch if not entry.settled]
            self._commit_batch(self._open_writer(), unsettled)

    def _commit_batch(self, writer: psycopg.Connection[Any], batch: list[Entry]) -> None:
        transaction = self._on(writer)
        if len(batch) > 1:
            try:
                self._commit_together(writer, transaction, batch)
            except Exception as error:
                if is_lost(error) or is_conflict(error):
                    raise
                # One of them cannot be written. Which one, and that the others can, shows when each goes alone.
                writer.rollback()
            else:
                return
        for entry in batch:
            try:
                self._commit_one(writer, transaction, entry.work)
            except Exception as error:
                if is_lost(error) or is_conflict(error):
                    raise
                entry.error = translated(error, self.name) if isinstance(error, psycopg.Error) else error
            entry.settled = True

    def _commit_one(
        self, writer: psycopg.Connection[Any], transaction: PostgresTransaction, write: PreparedAppend
    ) -> None:
        if len(write.statements) == 1 and not write.locks:
            # One statement is its own transaction. The hot path: one record.
            sql, parameters = write.statements[0]
            written = insert_call(writer, parameters) if write.is_plain else None
            if written is None:
                written = transaction.run(sql, parameters, prepare=True).rowcount
            if written != 1:
                write.verify(transaction)
        else:
            self._transact(writer, write.run, [])

    def _commit_together(
        self, writer: psycopg.Connection[Any], transaction: PostgresTransaction, batch: list[Entry]
    ) -> None:
        """One transaction in two round trips. Locks are taken in order, so that no two batches wait for each other."""
        writes: list[PreparedAppend] = [entry.work for entry in batch]
        locks = sorted({exec_id for write in writes for exec_id in (write.exec_id, *write.locks)})
        if all(write.is_plain for write in writes):
            self._insert_together(writer, transaction, batch, locks)
            return
        with writer.pipeline() as pipeline:
            writer.execute("BEGIN")
            transaction.run(statements.LOCK_SHARED, (locks,), prepare=True)
            cursors = [
                [transaction.run(sql, parameters, prepare=True) for sql, parameters in write.statements]
                for write in writes
            ]
            pipeline.sync()
        fenced: dict[int, KitaruError] = {}
        for place, (write, answers) in enumerate(zip(writes, cursors, strict=True)):
            if not answers or any(answer.rowcount == 0 for answer in answers):
                try:
                    write.verify(transaction)
                except Fenced as error:
                    # It wrote nothing: each of its statements asked for the lease.
                    fenced[place] = error
        writer.execute("COMMIT")
        for place, entry in enumerate(batch):
            entry.error = fenced.get(place)
            entry.settled = True

    def _insert_together(
        self,
        writer: psycopg.Connection[Any],
        transaction: PostgresTransaction,
        batch: list[Entry],
        locks: list[str],
    ) -> None:
        """The hot path of many: a record each."""
        counts = insert_calls(writer, locks, [entry.work.statements[0][1] for entry in batch])
        if counts is None:
            raise KitaruBackendError(f"A batch of records could not be written to {self.name}.")
        for entry, count in zip(batch, counts, strict=True):
            if count != 1:
                try:
                    entry.work.verify(transaction)
                except KitaruError as error:
                    entry.error = error
            entry.settled = True

    # ---------------------------------------------------------------- connections

    def _on(self, connection: psycopg.Connection[Any]) -> PostgresTransaction:
        if self._clock is not None:
            connection.execute("SELECT set_config('kitaru.now', %s, false)", (repr(self._clock()),))
        return PostgresTransaction(connection, clock_is_set=self._clock is not None)

    def _open_writer(self) -> psycopg.Connection[Any]:
        writer = self._writer
        if writer is None or writer.closed:
            writer = self._writer = self._connect()
        return writer

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _connect(self) -> psycopg.Connection[Any]:
        if self._closed:
            raise KitaruBackendError(
                f"The store on {self.name} was closed. Open a new one with open_store()."
            )
        return connect(self._url)
