"""Upgrades of older databases: whole or not at all, once, under a lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from kitaru.errors import KitaruBackendError
from kitaru.store import open_store
from kitaru.store.schema import TABLES, VERSION
from kitaru.store.tables import metadata
from kitaru.store.upgrades import alembic_config
from tests.store.making import Clock, held
from tests.support.processes import Python


def connect(url: str) -> Any:
    url = url.replace("postgresql://", "postgresql+psycopg://")
    return create_engine(url, poolclass=NullPool).begin()


def version(connection: Connection) -> str | None:
    return connection.execute(text("SELECT version_num FROM schema_version")).scalar()


@pytest.fixture
def oldest(database_url: str) -> str:
    """A database from before the first revision."""
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).parent.mkdir()
    with connect(database_url) as connection:
        connection.execute(text("CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    return database_url


def test_the_newest_revision_is_the_version() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    assert script.get_heads() == [VERSION]
    revisions = [revision.revision for revision in script.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True), "numbered in order: they are compared as text"


def test_alembic_sees_no_difference(oldest: str) -> None:
    open_store(oldest).close()
    with connect(oldest) as connection:
        # The full-text index is each database's own, and made of tables that no model describes.
        options = {
            "version_table": "schema_version",
            "include_name": lambda name, _kind, _parents: not str(name).startswith("memory_text"),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        assert version(connection) == VERSION
        found = inspect(connection).get_table_names()
        assert {name for name in found if not name.startswith("memory_text_")} == TABLES


def test_a_failed_upgrade_changes_nothing_and_is_resumed(oldest: str, clock: Clock) -> None:
    with connect(oldest) as connection:
        # In the way of a table that the revision makes after others.
        connection.execute(text("CREATE TABLE logs (mine INTEGER)"))
    for _ in range(2):
        with pytest.raises(KitaruBackendError, match="logs"):
            open_store(oldest)
        with connect(oldest) as connection:
            assert set(inspect(connection).get_table_names()) == {"schema_version", "logs"}
            assert version(connection) is None
    with connect(oldest) as connection:
        connection.execute(text("DROP TABLE logs"))
    store = open_store(oldest, clock=clock)
    held(store)
    store.check()
    store.close()


def test_processes_that_upgrade_at_once_upgrade_once(oldest: str, python: Python) -> None:
    code = "import sys; from kitaru.store import open_store; open_store(sys.argv[1]).check(); print('fine')"
    started = [python.start("-c", code, oldest) for _ in range(4)]
    assert [process.succeed() for process in started] == ["fine\n"] * 4
    with connect(oldest) as connection:
        assert version(connection) == VERSION
