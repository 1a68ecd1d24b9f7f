"""SQLite database files: made for their owner alone, opened with the pragmas that durability needs."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kitaru.errors import KitaruBackendError
from kitaru.store.schema import VERSION, refuse_foreign, refuse_newer, schema_statements
from kitaru.store.sqlite_errors import BUSY_SECONDS, is_busy

OLDEST = (3, 24, 0)

# Closing any descriptor of a file drops all the locks that the process has on it, so no database of this process may
# open it while it is being made.
_making = threading.Lock()


def make_file(path: Path) -> None:
    """Make the folder and the file, readable by nobody else, unless they exist."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise KitaruBackendError(
            f"Kitaru needs SQLite {'.'.join(map(str, OLDEST))} or newer; this Python has {sqlite3.sqlite_version}."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _making:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not path.is_file():
            raise KitaruBackendError(
                f"The database {path} cannot be made: the path is not a file's."
            ) from None
    except OSError as error:
        raise KitaruBackendError(
            f"The database {path} cannot be made: {error.strerror}. Name another place in KITARU_DATABASE_URL, "
            f"or look at `ls -la {path.parent}`."
        ) from error


def which_file(name: str) -> tuple[int, int]:
    """What tells the file that stands there from any other; raises ``OSError``."""
    found = os.stat(name)
    return found.st_dev, found.st_ino


def open_connection(path: Path | None, clock: Callable[[], float], *, read_only: bool) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time. The file must exist: it is never made here."""
    connection = sqlite3.connect(
        ":memory:" if path is None else f"{path.as_uri()}?mode=rw",
        uri=path is not None,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        if path is not None:
            # Of an empty database only. Three messages of 2 KiB fit a page of 8 KiB, one a page of 4.
            connection.execute("PRAGMA page_size=8192")
            _use_wal(connection, str(path))
            connection.execute("PRAGMA wal_autocheckpoint=500")
        connection.execute("PRAGMA synchronous=FULL")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        connection.create_function("kitaru_now", 0, clock)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, name: str) -> None:
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
                raise KitaruBackendError(
                    f"The database {name} is on a file system without shared memory. Put it on a local disk, or use "
                    "PostgreSQL: KITARU_DATABASE_URL=postgresql://…"
                )
        except sqlite3.OperationalError as error:
            # Several processes make the database at once: SQLite does not wait here by itself.
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def prepare_schema(connection: sqlite3.Connection, path: Path | None, name: str) -> None:
    """Make the tables in an empty database, upgrade an older one, and refuse a newer one or somebody else's."""
    version = _version(connection, name)
    if version is None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have made them meanwhile.
            version = _version(connection, name)
            if version is None:
                for statement in schema_statements("sqlite"):
                    connection.execute(statement)
                version = VERSION
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    refuse_newer(version, name)
    if version < VERSION:
        from kitaru.store.upgrades import upgrade_sqlite

        upgrade_sqlite(lambda: open_connection(path, time.time, read_only=False))


def _version(connection: sqlite3.Connection, name: str) -> str | None:
    """The schema's version; None for an empty database."""
    tables = {
        row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    }
    if not tables:
        return None
    if "schema_version" not in tables:
        refuse_foreign(name)
    found = connection.execute("SELECT version_num FROM schema_version").fetchall()
    return found[0][0] if found else ""
