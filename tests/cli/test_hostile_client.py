"""An execution that a hostile client wrote runs no code in who reads it: commands, clients, flows that load from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Python, processes_of, wait_until

MODULE = """
import os
from pathlib import Path
from pydantic import BaseModel

GONE_OFF = Path(os.environ["GONE_OFF"])
GONE_OFF.touch()

class Model(BaseModel):
    number: int

class Error(Exception):
    pass

class Bomb:
    def __reduce__(self):
        return (Path.touch, (GONE_OFF,))
"""

HOSTILE = """
import kitaru
import bomb

@kitaru.checkpoint
def plant(number):
    kitaru.save("saved", bomb.Bomb())
    return bomb.Bomb()

@kitaru.checkpoint
def model(number):
    return [bomb.Model(number=number)]

@kitaru.checkpoint
def fail():
    raise bomb.Error("it failed")

@kitaru.flow
def hostile(number):
    plant(number)
    model(number)
    print("a line")
    fail()

for number in (1, 2):
    try:
        handle = hostile.run(number)
        print(handle.exec_id)
        handle.wait()
    except kitaru.KitaruUserCodeError:
        pass
"""

READER = """
import sys
import kitaru
from kitaru import KitaruClient

client = KitaruClient()
execution = client.executions.get(sys.argv[1])
assert execution.failure.type == "bomb.Error"
for ref in execution.artifacts:
    try:
        ref.load()
    except kitaru.KitaruError as error:
        assert "allow_pickle = false" in str(error), error
    else:
        raise AssertionError(ref.artifact_id)

@kitaru.checkpoint
def take(name):
    return kitaru.load(sys.argv[1], name)

@kitaru.flow
def taking(name):
    take(name)

for name in ("saved", "plant", "model"):
    try:
        taking.run(name).wait()
    except kitaru.KitaruExecutionError as error:
        assert "allow_pickle = false" in str(error), error
    else:
        raise AssertionError(name)
assert "bomb" not in sys.modules
print("read all")
"""


@pytest.fixture(params=["sqlite", "postgres"])
def python(request: pytest.FixtureRequest, python: Python) -> Python:
    """Its processes share a database, each in turn, and can import the module of the hostile client."""
    if request.param == "postgres":
        python.environment["KITARU_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    python.environment["GONE_OFF"] = str(python.folder / "gone off")
    python.environment["PYTHONPATH"] = str(python.folder)
    python.script(MODULE, "bomb.py")
    return python


def planted(python: Python) -> tuple[Path, str, str]:
    """The file that says that foreign code ran, taken away; and the executions that would make it again."""
    script = python.script(HOSTILE, "hostile.py")
    ids = [line for line in python.run(script).splitlines() if line.startswith("kr-")]
    gone_off = Path(python.environment["GONE_OFF"])
    gone_off.unlink()
    return gone_off, *ids  # type: ignore[return-value]


def commands(first: str, second: str) -> Iterator[list[str]]:
    yield ["executions", "get", first]
    yield ["executions", "logs", first, "--grouped"]
    yield ["executions", "watch", first]
    yield ["executions", "diff", first, second]
    yield ["artifacts", "list", first]
    for artifact in ("plant#1/output", "plant#1/saved/1", "model#1/output"):
        yield ["artifacts", "get", f"{first}/{artifact}"]
        yield ["artifacts", "diff", f"{first}/{artifact}", f"{second}/{artifact}"]


def test_commands_run_none_whatever_the_setting(python: Python) -> None:
    gone_off, first, second = planted(python)
    python.environment["KITARU_ALLOW_PICKLE"] = "true"
    for command in commands(first, second):
        done = python.kitaru(*command, "-o", "json")
        assert done.returncode == 0, (command, done.stderr)
        assert not gone_off.exists(), command
        if command[1] == "diff" and "model#1/output" in command[2]:
            assert json.loads(done.stdout)["item"]["changes"] == [
                {"path": "root[0]['number']", "kind": "values_changed", "before": 1, "after": 2}
            ]


def test_a_client_and_a_flow_without_pickle_run_none(python: Python) -> None:
    gone_off, first, _ = planted(python)
    reader = python.script(READER, "reader.py")
    told = python.run(reader, first, environment={"KITARU_ALLOW_PICKLE": "false"})
    assert "read all" in told
    assert not gone_off.exists()
    # The payload is real: a client that trusts the store runs it.
    trusting = python.start(reader, first)
    assert trusting.wait() == 1
    assert gone_off.exists()


ASKING = """
import kitaru

@kitaru.flow
def asking():
    return kitaru.wait("ok")

if __name__ == "__main__":
    handle = asking.run()
    handle.until_suspended()
    print(handle.exec_id)
"""


def test_without_pickle_no_reading_command_starts_what_the_store_names(
    tmp_path: Path, kitaru_home: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "starts"
    folder.mkdir()
    python = Python(folder, kitaru_home.parent)
    request.addfinalizer(python.end)
    gone_off = folder / "gone off"
    exec_id = python.run(python.script(ASKING)).split()[-1]
    # What a client that can write to the store may say: go on with this, on this machine.
    with sqlite3.connect(kitaru_home / "kitaru.db") as database:
        (spec,) = database.execute("SELECT spec FROM executions").fetchone()
        said = json.loads(spec)
        said["entrypoint"]["script"] = str(python.script(f"open({str(gone_off)!r}, 'w')", "other.py"))
        database.execute("UPDATE executions SET spec = ?, ready = 1", (json.dumps(said),))
    database.close()
    for command in (["status"], ["executions", "list"], ["executions", "get", exec_id]):
        python.environment["KITARU_ALLOW_PICKLE"] = "false"
        assert python.kitaru(*command).returncode == 0
        assert processes_of(kitaru_home.parent) == []
    assert not gone_off.exists()
    python.environment["KITARU_ALLOW_PICKLE"] = "true"
    assert python.kitaru("status").returncode == 0
    wait_until(gone_off.exists, "the sweep of a command that trusts the store")
