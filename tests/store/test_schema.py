"""The schema: one source, two generated files, and migrations that come to the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Inspector, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from kitaru.errors import KitaruBackendError
from kitaru.store import open_store
from kitaru.store.generate import schema_sql
from kitaru.store.schema import VERSION, schema_file
from tests.store.making import new


def engine(url: str) -> Engine:
    """SQLAlchemy's own view of a database."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def shape(url: str) -> dict[str, Any]:
    """Tables with columns, keys and indexes, in an order that does not matter."""
    with engine(url).connect() as connection:
        looked = inspect(connection)
        return {table: _table(looked, table) for table in looked.get_table_names()}


def _table(looked: Inspector, table: str) -> Any:
    columns = {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in looked.get_columns(table)}
    indexes = sorted(
        (str(i["name"]), tuple(i["column_names"]), bool(i["unique"])) for i in looked.get_indexes(table)
    )
    key = looked.get_pk_constraint(table)["constrained_columns"]
    unique = sorted(tuple(u["column_names"]) for u in looked.get_unique_constraints(table))
    return columns, key, indexes, unique


@pytest.fixture(params=["sqlite", "postgres"])
def two_databases(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Two empty databases of one kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db"
    create = request.getfixturevalue("postgres_database")
    return create(), create()


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_the_files_are_what_the_tables_say(dialect: str) -> None:
    assert schema_file(dialect).read_text() == schema_sql(dialect)


def test_migrations_come_to_the_same_as_the_file(two_databases: tuple[str, str]) -> None:
    fresh, migrated = two_databases
    open_store(fresh).close()
    with engine(migrated).begin() as connection:
        # A database that knows of no revision yet is upgraded from the first one on.
        connection.execute(text("CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    store = open_store(migrated)
    store.create(new("e1"))
    store.close()
    ours, theirs = shape(fresh), shape(migrated)
    ours.pop("schema_version"), theirs.pop("schema_version")
    assert theirs == ours


def test_a_newer_database_is_refused_and_left_alone(two_databases: tuple[str, str]) -> None:
    url = two_databases[0]
    open_store(url).close()
    with engine(url).begin() as connection:
        connection.execute(text("UPDATE schema_version SET version_num = '9999'"))
    with pytest.raises(KitaruBackendError, match="newer Kitaru"):
        open_store(url)
    with engine(url).begin() as connection:
        assert connection.execute(text("SELECT version_num FROM schema_version")).scalar() == "9999"
    assert VERSION < "9999"


def test_a_strangers_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/invoices.db"
    with engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER PRIMARY KEY)"))
    with pytest.raises(KitaruBackendError, match="something else than Kitaru"):
        open_store(url)


def test_processes_that_start_at_once_make_one_schema(two_databases: tuple[str, str]) -> None:
    url = two_databases[0]
    code = "import sys; from kitaru.store import open_store; open_store(sys.argv[1]).check(); print('fine')"
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in started] == ["fine"] * 4
    with engine(url).begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM schema_version")).scalar() == 1
