"""SQLite: one connection that writes, several that read, every commit on disk before it is acknowledged."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kitaru.errors import KitaruBackendError
from kitaru.store.appends import PreparedAppend
from kitaru.store.commits import Entry, GroupCommit
from kitaru.store.database import Transaction
from kitaru.store.forks import close_at_forks
from kitaru.store.pool import Pool
from kitaru.store.sqlite_errors import BUSY_SECONDS, copied, displaced, is_busy, translated, unreachable
from kitaru.store.sqlite_files import make_file, open_connection, prepare_schema, which_file

T = TypeVar("T")

READERS = 16
PATIENCE_MS = 20

_texts: dict[str, str] = {}


def text_for_sqlite(sql: str) -> str:
    """A statement as SQLite takes it. It locks no rows: who writes has the database for itself."""
    text = _texts.get(sql)
    if text is None:
        text = sql.replace("{now}", "kitaru_now()").replace("{lock}", "").replace("{share}", "")
        _texts[sql] = text
    return text


class SqliteTransaction:
    """Runs statements on a connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(text_for_sqlite(sql), parameters)

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        self._connection.executemany(text_for_sqlite(sql), rows)


class SqliteDatabase:
    """A database file, or with ``path=None`` one in memory that lives as long as this object."""

    dialect = "sqlite"

    def __init__(self, path: Path | None, clock: Callable[[], float] | None = None) -> None:
        self.name = ":memory:" if path is None else str(path)
        self._path = path
        self._clock = clock or time.time
        self._writer: sqlite3.Connection | None = None
        self._closed = False
        self._group = GroupCommit(self._commit)
        self._readers = Pool(lambda: self._connect(read_only=True), lambda _: False, READERS)
        with self._errors():
            if path is not None:
                make_file(path)
            with self._patient() as connection:
                prepare_schema(connection, self._path, self.name)
        if path is not None:
            self._file = which_file(self.name)
            close_at_forks(self)

    def now(self) -> float:
        """The host's clock: there is no other host."""
        return self._clock()

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Let ``work`` read, on a connection of its own; a database in memory has only one."""
        if self._path is None:
            entry = self._group.lead_alone()
            try:
                with self._errors():
                    return work(SqliteTransaction(self._open_writer()))
            finally:
                self._group.end_alone(entry)
        self._check_file()
        with self._errors(), self._readers.connection() as connection:
            return work(SqliteTransaction(connection))

    def write(self, work: Callable[[Transaction], T], *, repeatable: bool = True) -> T:
        """Let ``work`` write. Nothing is ever repeated: whether a commit took place is always known."""
        return self._group.run(work)

    def append(self, write: PreparedAppend) -> None:
        """Commit an append."""
        self._group.run(write)

    def check(self) -> None:
        """Look at the file and its schema again."""
        entry = self._group.lead_alone()
        try:
            self._check_file()
            with self._errors(), self._patient() as connection:
                prepare_schema(connection, self._path, self.name)
        finally:
            self._group.end_alone(entry)

    def close(self) -> None:
        """Close all connections, once nobody uses them."""
        entry = self._group.lead_alone()
        try:
            self._closed = True
            self._readers.pause()
            self._drop_writer()
            self._readers.resume()
        finally:
            self._group.end_alone(entry)

    # ---------------------------------------------------------------- forks

    def before_fork(self) -> None:
        """Close everything; the lead is kept over the fork."""
        self._forking = self._group.lead_alone()
        self._readers.pause()
        self._drop_writer()

    def after_fork(self, *, in_child: bool) -> None:
        """Go on; in the child without the writes that threads of the parent had queued."""
        if in_child:
            self._group = GroupCommit(self._commit)
            self._readers = Pool(lambda: self._connect(read_only=True), lambda _: False, READERS)
        else:
            self._readers.resume()
            self._group.end_alone(self._forking)

    # ---------------------------------------------------------------- committing

    def _commit(self, batch: list[Entry]) -> None:
        try:
            writer = self._open_writer()
            if len(batch) == 1 and _is_one_statement(batch[0].work):
                self._commit_statement(writer, batch[0])
            else:
                self._commit_transaction(writer, batch)
        except (sqlite3.Error, KitaruBackendError) as error:
            self._fail(batch, error)

    def _commit_statement(self, writer: sqlite3.Connection, entry: Entry) -> None:
        """The hot path: one record, in one statement that is its own transaction."""
        write: PreparedAppend = entry.work
        sql, parameters = write.statements[0]
        try:
            if _locking(writer, _texts.get(sql) or text_for_sqlite(sql), parameters).rowcount != 1:
                write.verify(SqliteTransaction(writer))
        except sqlite3.Error:
            raise
        except Exception as error:
            entry.error = error
        self._check_file()
        entry.settled = True

    def _commit_transaction(self, writer: sqlite3.Connection, batch: list[Entry]) -> None:
        transaction = SqliteTransaction(writer)
        committing = False
        try:
            _locking(writer, "BEGIN IMMEDIATE")
            for entry in batch:
                self._apply(writer, transaction, entry)
            committing = True
            writer.execute("COMMIT")
        except BaseException as error:
            if writer.in_transaction:
                self._roll_back(writer)
            elif committing and not isinstance(error, sqlite3.Error):
                # The interruption came after the commit.
                _settle(batch)
                raise
            # SQLite may also have rolled back by itself: it does when a commit fails on a full disk.
            for entry in batch:
                entry.value = entry.error = None
            raise
        self._check_file()
        _settle(batch)

    def _apply(self, writer: sqlite3.Connection, transaction: SqliteTransaction, entry: Entry) -> None:
        """One entry of a batch. What it raises is its own outcome, unless it ended the transaction of all."""
        writer.execute("SAVEPOINT entry")
        try:
            work = entry.work
            if isinstance(work, PreparedAppend):
                work.run(transaction)
            else:
                entry.value = work(transaction)
        except Exception as error:
            if not writer.in_transaction:
                raise
            entry.error = translated(error, self.name) if isinstance(error, sqlite3.Error) else error
            writer.execute("ROLLBACK TO entry")
        writer.execute("RELEASE entry")

    def _fail(self, batch: list[Entry], cause: Exception) -> None:
        for entry in batch:
            if not entry.settled:
                is_ours = isinstance(cause, KitaruBackendError)
                entry.fail(copied(cause) if is_ours else translated(cause, self.name))
        if self._writer is not None and self._writer.in_transaction:
            self._roll_back(self._writer)

    def _roll_back(self, writer: sqlite3.Connection) -> None:
        try:
            writer.execute("ROLLBACK")
        except sqlite3.Error:
            # Closing the connection rolls back too; the next write opens another.
            self._drop_writer()

    # ---------------------------------------------------------------- connections

    def _check_file(self) -> None:
        """Raise when the open connections write to a file that nobody will find again.

        Asked after each commit, before it is acknowledged: it takes a millionth of a second.
        """
        if self._path is None:
            return
        try:
            found = which_file(self.name)
        except (FileNotFoundError, NotADirectoryError):
            found = None
        except OSError as error:
            raise unreachable(self.name, error) from error
        if found != self._file:
            raise displaced(self.name)

    def _open_writer(self) -> sqlite3.Connection:
        writer = self._writer
        if writer is None:
            writer = self._writer = self._connect(read_only=False)
            writer.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
        return writer

    @contextmanager
    def _patient(self) -> Generator[sqlite3.Connection]:
        """A connection that waits by SQLite's own means; a database in memory has only the writer."""
        if self._path is None:
            yield self._open_writer()
        else:
            with closing(self._connect(read_only=False)) as connection:
                yield connection

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _connect(self, *, read_only: bool) -> sqlite3.Connection:
        if self._closed:
            raise KitaruBackendError(
                f"The store on {self.name} was closed. Open a new one with open_store()."
            )
        return open_connection(self._path, self._clock, read_only=read_only)

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translated(error, self.name) from error


def _locking(writer: sqlite3.Connection, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
    """Execute a statement that takes the write lock; wait for another process to let go of it.

    SQLite's own waiting asks ever more seldom, ten times a second in the end, and starves beside a process that commits
    one record after another: so it is kept short here, and begun again.
    """
    deadline: float | None = None
    while True:
        try:
            return writer.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if deadline is None:
                deadline = time.monotonic() + BUSY_SECONDS
            if not is_busy(error) or time.monotonic() > deadline:
                raise


def _is_one_statement(work: Any) -> bool:
    return isinstance(work, PreparedAppend) and len(work.statements) == 1


def _settle(batch: list[Entry]) -> None:
    for entry in batch:
        entry.settled = True
