"""What recovery tests share: both databases, and a stage for flows that are killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kitaru import KitaruClient
from kitaru.models import Execution
from kitaru.settings import database_url
from tests.support.processes import Process, Python, lines, wait_for_line, wait_until

PRELUDE = """
import asyncio, os, time
from pathlib import Path
import kitaru
from kitaru import aio

HERE = Path(__file__).parent

def ran(line):
    with (HERE / "side.txt").open("a") as file:
        file.write(f"{line}\\n")

def block_until(name):
    while not (HERE / name).exists():
        time.sleep(0.02)
"""


class Stage:
    """A script whose flow is started, killed, and looked at from outside."""

    def __init__(self, python: Python) -> None:
        self.python = python
        self.side = python.folder / "side.txt"
        self.client = KitaruClient()

    @property
    def database_url(self) -> str:
        """The database that the scripts use."""
        return database_url()

    def write(self, text: str) -> Path:
        """Write the script; what it imports and how it notes what ran stands before it."""
        return self.python.script(PRELUDE + text)

    def start(self, text: str) -> tuple[Process, str]:
        """Start a script; the id of the execution that it starts."""
        process = self.python.start(self.write(text))
        page = wait_until(lambda: self.client.executions.list(limit=1), "an execution")
        return process, page[0].exec_id

    def until_flow(self, name: str) -> str:
        """Wait until an execution of this flow waits; its id."""
        found = wait_until(
            lambda: self.client.executions.list(flow=name, status="waiting"), f"{name} to wait"
        )
        return found[0].exec_id

    def ran(self) -> list[str]:
        """What really ran, by the side file."""
        return lines(self.side)

    def kill_at(self, process: Process, line: str) -> None:
        """SIGKILL when the side file holds the line."""
        wait_for_line(self.side, line)
        process.kill_group()

    def open(self, name: str) -> None:
        """Let bodies that block on this name go on."""
        (self.python.folder / name).touch()

    def resume(self, exec_id: str) -> None:
        """As a user would: by the id alone."""
        done = self.python.kitaru("executions", "resume", exec_id)
        assert done.returncode == 0, done.stderr

    def until(self, exec_id: str, status: str) -> Execution:
        """Wait until the execution has this status."""

        def reached() -> Execution | None:
            found = self.client.executions.get(exec_id)
            assert found.status == status or not found.status.is_finished, found.failure
            return found if found.status == status else None

        return wait_until(reached, f"{exec_id} to be {status}")


@pytest.fixture
def stage(python: Python) -> Stage:
    return Stage(python)


@pytest.fixture(params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest, python: Python, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on each database in turn."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        monkeypatch.setenv("KITARU_DATABASE_URL", url)
        python.environment["KITARU_DATABASE_URL"] = url
    yield Stage(python)
    python.end()
