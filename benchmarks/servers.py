"""A PostgreSQL server for one run of the benchmarks, and fresh databases on it."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4


class Databases:
    """Fresh databases on a server, of which ``url`` names any one."""

    def __init__(self, url: str) -> None:
        self._url = url

    def create(self) -> str:
        """The URL of a new, empty database."""
        import psycopg

        name = f"benchmark_{uuid4().hex[:12]}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    def drop(self, url: str) -> None:
        """Drop one; whoever is connected is cut off."""
        import psycopg

        name = urlsplit(url).path.removeprefix("/")
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def size(self, url: str) -> int:
        """Bytes of a database's files."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            assert found is not None
            return found[0]

    def settings(self) -> str:
        """Version and durability of the server."""
        import psycopg

        with psycopg.connect(self._url) as connection:
            shown = [
                connection.execute(f"SHOW {name}".encode()).fetchone()
                for name in ("server_version", "fsync", "synchronous_commit")
            ]
            version, fsync, commit = [row[0] for row in shown if row]
            return f"PostgreSQL {version}, fsync {fsync}, synchronous_commit {commit}"


@contextmanager
def server(url: str | None) -> Generator[Databases]:
    """The server of ``url``, or one that is started for the while, with its default settings."""
    if url:
        yield Databases(url)
        return
    from tests.support.postgres import PostgresServer

    with tempfile.TemporaryDirectory(prefix="kitaru-benchmark-") as name:
        # The wheel's own server, with everything as PostgreSQL sets it.
        started = PostgresServer(Path(name))
        started.start()
        try:
            yield Databases(started.url("postgres"))
        finally:
            started.stop(crash=True)
