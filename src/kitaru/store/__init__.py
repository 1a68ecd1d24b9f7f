"""The store: ``open_store`` gives the one that a URL names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kitaru.errors import KitaruFeatureNotAvailableError, KitaruUsageError

if TYPE_CHECKING:
    from kitaru.store.protocol import Store

__all__ = ["open_store"]

MEMORY = "sqlite:///:memory:"


def open_store(url: str, *, clock: Callable[[], float] | None = None) -> Store:
    """Open the store of a URL, and make its tables if the database is empty.

    Args:
        url: ``sqlite:////absolute/path/kitaru.db`` (three slashes: relative to the working directory),
            ``sqlite:///:memory:``, or ``postgresql://user@host/database``.
        clock: what the store takes for the database's clock, in seconds since the epoch; None: the database's own.

    Raises:
        KitaruUsageError: for a URL of another kind.
        KitaruFeatureNotAvailableError: for PostgreSQL without psycopg.
        KitaruBackendError: when the database cannot be reached, or was made by something else or a newer Kitaru.

    Example:
        >>> store = open_store("sqlite:///:memory:")
        >>> store.wakeable()
        []
        >>> store.close()
    """
    scheme, colon, rest = url.partition("://")
    if not colon:
        raise _unknown(url)
    if scheme == "sqlite":
        return _open_sqlite(url, rest, clock)
    if scheme in ("postgresql", "postgres"):
        return _open_postgres(url, clock)
    raise _unknown(f"{scheme}://…")


def _open_sqlite(url: str, rest: str, clock: Callable[[], float] | None) -> Store:
    from kitaru.store.journal import SqlJournal
    from kitaru.store.sqlite import SqliteDatabase

    name = rest.removeprefix("/")
    if not name:
        raise _unknown(url)
    if name == ":memory:":
        return SqlJournal(MEMORY, SqliteDatabase(None, clock))
    path = Path(name).expanduser().absolute()
    return SqlJournal(f"sqlite:///{path}", SqliteDatabase(path, clock))


def _open_postgres(url: str, clock: Callable[[], float] | None) -> Store:
    from kitaru.store.journal import SqlJournal

    try:
        from kitaru.store.postgres import PostgresDatabase
    except ImportError as error:
        raise KitaruFeatureNotAvailableError(
            f"PostgreSQL needs psycopg, which cannot be imported here ({error}): `pip install 'kitaru[postgres]'`."
        ) from error
    return SqlJournal(url, PostgresDatabase(url, clock))


def _unknown(url: str) -> KitaruUsageError:
    return KitaruUsageError(
        f"{url!r} is not a store's URL. Write sqlite:////absolute/path/kitaru.db or postgresql://user@host/database, "
        "for example in KITARU_DATABASE_URL."
    )
