"""PostgreSQL connections: opened with the timeouts that fencing needs, their errors told to users, the schema made."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from kitaru.errors import KitaruBackendError
from kitaru.store.schema import TABLES, VERSION, refuse_foreign, refuse_newer, schema_statements

OLDEST = 140000
LOCK_SECONDS = 30
SCHEMA_LOCK = 0x6B697461
"""The advisory lock under which the schema is made or upgraded."""

# A runner that is stopped within a transaction must not keep others from taking over.
_SETTINGS = f"""
SET idle_in_transaction_session_timeout = '15s';
SET lock_timeout = '{LOCK_SECONDS}s';
SET client_encoding = 'UTF8';
"""

# Classes of SQLSTATE: connections, rollbacks, resources (disk, memory, connections), locks, operators, the system.
_PASSING = ("08", "40", "53", "55P03", "57", "58", "25P03")

# A server that vanished is noticed within a minute, unless the URL says otherwise.
_DEFAULTS: dict[str, str] = {
    "application_name": "kitaru",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection in autocommit mode."""
    given = conninfo_to_dict(url)
    conninfo = make_conninfo(url, **{name: value for name, value in _DEFAULTS.items() if name not in given})
    connection = psycopg.connect(conninfo, autocommit=True)
    try:
        # One width for all integers: a statement is prepared once, not once for each mixture of widths.
        connection.adapters.register_dumper(int, Int8Dumper)
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        connection.execute(_SETTINGS.encode())
    except BaseException:
        connection.close()
        raise
    return connection


def shown_name(url: str) -> str:
    """The URL without its password."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise KitaruBackendError(
            f"The database's URL cannot be read: {error}. Write postgresql://user@host:5432/database."
        ) from error
    user = f"{given['user']}@" if "user" in given else ""
    port = f":{given['port']}" if "port" in given else ""
    return f"postgresql://{user}{given.get('host', '')}{port}/{given.get('dbname', '')}"


def is_unusable(connection: psycopg.Connection[Any]) -> bool:
    """True when a connection must not be used again."""
    return connection.closed or connection.info.transaction_status != TransactionStatus.IDLE


def is_lost(error: Exception) -> bool:
    """True when the connection is gone, so that another one may do."""
    if isinstance(
        error, errors.AdminShutdown | errors.CrashShutdown | errors.IdleInTransactionSessionTimeout
    ):
        return True
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and error.sqlstate is None


def is_conflict(error: Exception) -> bool:
    """True when the transaction lost against another one and can be repeated."""
    return isinstance(error, errors.DeadlockDetected | errors.SerializationFailure)


def translated(error: psycopg.Error, name: str, *, unknown: bool = False) -> KitaruBackendError:
    """The error for users; ``unknown``: it is not known whether the commit took place."""
    says = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, errors.LockNotAvailable):
        advice = f"database is locked: another transaction has held a row for {LOCK_SECONDS} s. Repeat the command."
    elif isinstance(error, errors.DiskFull):
        advice = "The server's disk is full. Make room there, then repeat the command."
    elif isinstance(error, errors.InsufficientPrivilege):
        advice = "Grant the role the right to create and write tables there."
    elif isinstance(error, errors.ReadOnlySqlTransaction):
        advice = "It is a read-only server. Name the primary in KITARU_DATABASE_URL."
    elif isinstance(error, psycopg.OperationalError):
        advice = "See that the server runs and that KITARU_DATABASE_URL names it, then repeat the command."
    else:
        advice = "Check it with `kitaru status`."
    if unknown:
        advice = "Whether this was committed is not known: look before you repeat it. " + advice
    message = f"The database {name} failed: {says}. {advice}"
    translation = KitaruBackendError(message, transient=_may_pass(error), unknown=unknown)
    translation.__cause__ = error
    return translation


def _may_pass(error: psycopg.Error) -> bool:
    return is_lost(error) or (error.sqlstate or "").startswith(_PASSING)


def prepare_schema(connection: psycopg.Connection[Any], url: str, name: str) -> None:
    """Make the tables in an empty database, upgrade an older one, and refuse a newer one or somebody else's."""
    if connection.info.server_version < OLDEST:
        raise KitaruBackendError(
            f"The database {name} runs PostgreSQL {connection.info.parameter_status('server_version')}; Kitaru needs "
            f"{OLDEST // 10000} or newer."
        )
    version = _version(connection, name)
    if version is None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            # Another process may have made them meanwhile.
            version = _version(connection, name)
            if version is None:
                for statement in schema_statements("postgres"):
                    connection.execute(statement.encode())
                version = VERSION
    refuse_newer(version, name)
    if version < VERSION:
        from kitaru.store.upgrades import upgrade_postgres

        upgrade_postgres(lambda: _in_transactions(url), SCHEMA_LOCK)


def _in_transactions(url: str) -> psycopg.Connection[Any]:
    connection = connect(url)
    # An upgrade may wait longer than a runner: for another process's upgrade.
    connection.execute("SET lock_timeout = 0")
    connection.autocommit = False
    return connection


def _version(connection: psycopg.Connection[Any], name: str) -> str | None:
    """The schema's version; None for a database without any of our tables."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename = ANY(%s)"
    tables = {row[0] for row in connection.execute(query, (list(TABLES),)).fetchall()}
    if not tables:
        return None
    if "schema_version" not in tables:
        refuse_foreign(name)
    found = connection.execute("SELECT version_num FROM schema_version").fetchall()
    return found[0][0] if found else ""
