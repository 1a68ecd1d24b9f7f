"""Upgrades of an older database, by Alembic: under a lock, in one transaction, so that a failure changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

MIGRATIONS = Path(__file__).with_name("migrations")


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our revisions, run on ``connection``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade_sqlite(open_connection: Callable[[], Any]) -> None:
    """Bring a database file to the newest version; other writers wait meanwhile."""
    _upgrade("sqlite://", open_connection, "BEGIN IMMEDIATE")


def upgrade_postgres(open_connection: Callable[[], Any], lock: int) -> None:
    """Bring a database to the newest version under an advisory lock. The connection must not be in autocommit mode."""
    _upgrade("postgresql+psycopg://", open_connection, f"SELECT pg_advisory_xact_lock({lock})")


def _upgrade(url: str, open_connection: Callable[[], Any], begin: str) -> None:
    engine = create_engine(url, creator=open_connection, poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(begin)
            # Where another process was faster there is nothing left to do.
            command.upgrade(alembic_config(connection), "head")
    except DBAPIError as error:
        # The driver's own error: whoever opened the database knows how to tell it.
        raise error.orig or error from error
    finally:
        engine.dispose()
