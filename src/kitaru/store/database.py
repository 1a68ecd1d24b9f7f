"""What the journal needs of a database, whichever it is.

Statements are written once for all databases, with these marks in them: ``?`` for a parameter, ``{now}`` for the
database's clock in seconds, ``{lock}`` and ``{share}`` after a SELECT that locks the rows it reads (for a change, or
against changes) where the database locks rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from kitaru.store.appends import PreparedAppend

T = TypeVar("T")


class Rows(Protocol):
    """What a statement answered."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        ...

    def fetchone(self) -> Any:
        """The first row as a tuple, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows, as tuples."""
        ...


class Transaction(Protocol):
    """Runs statements: all within one transaction when it was begun by ``Database.write``."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        """Run one statement."""
        ...

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        ...


class Database(Protocol):
    """One database. Every method raises ``KitaruBackendError`` when the database fails."""

    dialect: str
    name: str

    def now(self) -> float:
        """The database's clock."""
        ...

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Let ``work`` read; it may be called twice when a connection was lost."""
        ...

    def write(self, work: Callable[[Transaction], T], *, repeatable: bool = True) -> T:
        """Let ``work`` write in a transaction, committed when it returns and rolled back when it raises.

        It may be called again after a conflict or a lost connection; when it is not known whether a commit took
        place, only if ``repeatable``.
        """
        ...

    def append(self, write: PreparedAppend) -> None:
        """Commit an append, alone or together with those of other threads."""
        ...

    def check(self) -> None:
        """Reach the database, and compare the version of its schema."""
        ...

    def close(self) -> None:
        """Close all connections, once nobody uses them."""
        ...
