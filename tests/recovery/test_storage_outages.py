"""Storage that is away for a while: locked, full, restarted, removed. The flow goes on when it is back."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.recovery.conftest import Stage
from tests.recovery.faults import GOES_ON, WAITS, until_said
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_for_line, wait_until

STEPS = """
@kitaru.checkpoint
def step(number):
    ran(number)
    if number == 5:
        block_until("gate")
    return os.urandom(30_000)

@kitaru.flow
def steps():
    return sum(len(step(number)) for number in range(1, 11))

if __name__ == "__main__":
    print(steps.run().wait())
"""

LOCKER = """
import sqlite3, sys, time
from pathlib import Path
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
while not Path("unlock").exists():
    time.sleep(0.02)
"""


def use(stage: Stage, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("KITARU_DATABASE_URL", url)
    stage.python.environment["KITARU_DATABASE_URL"] = url


def ten_steps_ran_once(stage: Stage, exec_id: str) -> None:
    done = stage.until(exec_id, "completed")
    assert Counter(stage.ran()) == {str(number): 1 for number in range(1, 11)}
    assert len(done.checkpoints) == 10
    assert done.result is not None
    assert done.result.load() == 300_000


def test_a_database_that_is_locked_for_longer_than_sqlite_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = stage.python.folder / "kitaru.db"
    use(stage, monkeypatch, f"sqlite:///{file}")
    process, exec_id = stage.start(STEPS)
    wait_for_line(stage.side, "5")
    locker = stage.python.start("-c", LOCKER, file)
    until_said(locker, "locked")
    stage.open("gate")
    until_said(process, WAITS)
    assert "database is locked" in process.output
    stage.open("unlock")
    process.succeed()
    assert GOES_ON in process.output
    ten_steps_ran_once(stage, exec_id)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"file systems cannot be mounted here: {mounted.stderr}")
    yield folder
    # Lazily: a process may have it open until the last fixture has ended it.
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(filler: Path) -> None:
    """Write into a file until there is no room left."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(filler).free == 0


def test_a_disk_that_is_full(stage: Stage, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(stage, monkeypatch, f"sqlite:///{small_disk}/kitaru.db")
    process, exec_id = stage.start(STEPS)
    wait_for_line(stage.side, "5")
    filler = small_disk / "filler"
    fill(filler)
    stage.open("gate")
    until_said(process, WAITS)
    assert "disk is full" in process.output
    filler.unlink()
    process.succeed()
    ten_steps_ran_once(stage, exec_id)


MANY = """
from concurrent.futures import ThreadPoolExecutor

@kitaru.checkpoint
def step(number):
    ran(number)
    if number % 40 == 20:
        block_until(f"gate{number}")
    kitaru.save("square", number * number)
    return number

@kitaru.flow
def steps():
    total = 0
    for start in range(0, 300, 10):
        total += sum(step(number) for number in range(start, start + 4))
        total += sum(future.result() for future in step.map(range(start + 4, start + 10)))
    return total

if __name__ == "__main__":
    print(steps.run().wait())
"""


def test_a_server_that_is_restarted_again_and_again(
    stage: Stage, postgres_server: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(stage, monkeypatch, postgres_url)
    process, exec_id = stage.start(MANY)
    for mark in range(20, 300, 40):
        wait_for_line(stage.side, str(mark))
        if mark % 80 == 20:
            # In the middle of whatever it does then.
            stage.open(f"gate{mark}")
            postgres_server.restart(crash=True)
            continue
        postgres_server.stop(crash=True)
        try:
            stage.open(f"gate{mark}")
            wait_until(lambda: process.output.count(WAITS) > process.output.count(GOES_ON), "an outage")
        finally:
            postgres_server.start()
    assert str(sum(range(300))) in process.succeed()
    assert Counter(stage.ran()) == {str(number): 1 for number in range(300)}
    done = stage.until(exec_id, "completed")
    assert Counter(call.name for call in done.checkpoints) == {"step": 300}
    assert len([ref for ref in done.artifacts if ref.name == "square"]) == 300


def test_a_database_that_is_removed_is_noticed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stage.python.folder / "database" / "kitaru.db"
    use(stage, monkeypatch, f"sqlite:///{file}")
    process, exec_id = stage.start(STEPS)
    wait_for_line(stage.side, "5")
    moved = file.parent.rename(file.parent.with_name("elsewhere"))
    stage.open("gate")
    assert process.wait() != 0
    assert f"The database {file} was removed, or replaced" in process.output
    assert f"kitaru executions resume {exec_id}" in process.output
    assert stage.ran() == [str(number) for number in range(1, 6)], "nothing ran on what is not recorded"
    moved.rename(file.parent)
    stage.resume(exec_id)
    done = stage.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == 300_000
    assert Counter(stage.ran())["4"] == 1
