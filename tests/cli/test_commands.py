"""The command line: answers for programs, exit codes, errors without stack traces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Python, wait_for_line

SCRIPT = """
import time
from pathlib import Path
import kitaru

HERE = Path(__file__).parent

@kitaru.checkpoint
def work(number):
    print(f"working on {number}")
    kitaru.progress(1, total=2, message="half")
    while not (HERE / "gate").exists():
        time.sleep(0.02)
    return number

@kitaru.flow
def busy(number):
    return work(number)

@kitaru.flow
def asking(topic):
    return kitaru.wait("approve", question=f"Publish {topic}?", schema=bool)

@kitaru.flow
def broken():
    raise ValueError("a bug")
"""

START = (
    SCRIPT
    + """
if __name__ == "__main__":
    handles = [busy.run(number) for number in range(20)]
    (HERE / "started").write_text("started\\n")
"""
)


def answer(python: Python, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The JSON answer of a command."""
    done = python.kitaru(*arguments, "-o", "json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def started(python: Python, flow: str, *arguments: str, code: int = 0) -> str:
    """Run a flow by the command line; its execution's id."""
    python.script(SCRIPT, "flows.py")
    found = answer(python, "run", f"flows:{flow}", *arguments, code=code)
    assert found["command"] == "run"
    return found["item"]["exec_id"]


def test_the_version(python: Python) -> None:
    done = python.kitaru("--version")
    assert (done.returncode, done.stdout) == (0, "kitaru 0.1.0\n")


def test_the_version_imports_nothing_heavy(python: Python) -> None:
    code = "import sys; sys.argv[1:] = ['--version']; from kitaru.cli.entry import main; main(); print(*sys.modules)"
    loaded = set(python.run("-c", code).split())
    assert not loaded & {"pydantic", "typer", "rich", "sqlalchemy", "asyncio"}


@pytest.mark.parametrize("command", ["init", "status", "info", "clean global --dry-run", "executions list"])
def test_commands_answer_on_an_empty_database(python: Python, command: str) -> None:
    found = answer(python, *command.split())
    name = " ".join(
        word for word in command.split() if word in ("init", "status", "info", "clean", "executions", "list")
    )
    assert found["command"] == name
    assert ("item" in found) != ("items" in found)
    if "items" in found:
        assert found["count"] == len(found["items"])
    assert python.kitaru(*command.split()).returncode == 0


def test_an_execution_from_start_to_answer(python: Python) -> None:
    exec_id = started(python, "asking", "--args", '{"topic": "tea"}')
    item = answer(python, "executions", "get", exec_id)["item"]
    assert (item["status"], item["pending_wait"]["question"]) == ("waiting", "Publish tea?")
    assert item["pending_wait"]["schema"] == {"type": "boolean"}
    wrong = python.kitaru("executions", "input", exec_id, "--value", '"maybe"')
    assert (wrong.returncode, wrong.stdout, "Traceback" in wrong.stderr) == (2, "", False)
    assert "does not match its schema" in wrong.stderr
    assert answer(python, "executions", "input", exec_id, "--value", "true")["item"]["exec_id"] == exec_id
    events = python.kitaru("executions", "watch", exec_id, "-o", "json").stdout.splitlines()
    kinds = [json.loads(line) for line in events]
    assert (kinds[-1]["kind"], kinds[-1]["status"]) == ("status", "completed")
    again = python.kitaru("executions", "input", exec_id, "--value", "true")
    assert (again.returncode, "completed" in again.stderr) == (1, True)
    replayed = answer(
        python, "executions", "replay", exec_id, "--overrides", '{"wait.approve": false}', "--wait"
    )
    assert replayed["item"]["result"]["preview"] == "false"
    rows = answer(python, "executions", "statistics", "--group-by", "status")["items"]
    assert rows[0]["executions"] == 2


def test_a_failure_exits_with_1_and_is_retried(python: Python) -> None:
    exec_id = started(python, "broken", code=1)
    shown = python.kitaru("executions", "get", exec_id)
    assert "failed (user_code): ValueError: a bug" in shown.stdout
    assert f"kitaru executions retry {exec_id}" in shown.stdout
    assert answer(python, "executions", "retry", exec_id, "--wait", code=1)["item"]["status"] == "failed"
    resumed = python.kitaru("executions", "resume", exec_id)
    assert (resumed.returncode, "is failed" in resumed.stderr) == (1, True)


def test_interactive_answers_all_that_wait(python: Python) -> None:
    ids = [started(python, "asking", "--args", '{"topic": "tea"}') for _ in range(2)]
    command = [str(Path(sys.executable).with_name("kitaru")), "executions", "input", "--interactive"]
    done = subprocess.run(
        command,
        input="y\nn\n",
        capture_output=True,
        text=True,
        env=python.environment,
        cwd=python.folder,
        check=True,
    )
    assert done.stdout.count("Answered.") == 2
    assert all(exec_id in done.stdout for exec_id in ids)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("executions", "get", "kr-unknown"), 1, "no execution"),
        (("executions", "bogus"), 2, "No such command"),
        (("executions", "list", "--status", "odd"), 2, "odd"),
        (("run", "nowhere:flow"), 1, "nowhere"),
        (("run", "nowhere"), 2, "MODULE:FLOW"),
        (("executions", "replay", "kr-x", "--args", "[1]"), 2, "JSON object"),
        (("clean", "everything"), 2, "project, global or all"),
    ],
)
def test_a_mistake_is_told_on_stderr(
    python: Python, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = python.kitaru(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_twenty_flows_at_once_are_seen(python: Python) -> None:
    process = python.start(python.script(START))
    wait_for_line(python.folder / "started", "started")
    items = answer(python, "executions", "list", "--limit", "50")["items"]
    assert [item["status"] for item in items] == ["running"] * 20
    exec_id = items[0]["exec_id"]
    follower = python.start("-m", "kitaru.cli.entry", "executions", "watch", exec_id, "-o", "json")
    logs = python.start("-m", "kitaru.cli.entry", "executions", "logs", exec_id, "--follow")
    refused = python.kitaru("executions", "resume", exec_id)
    assert (refused.returncode, "is running in process" in refused.stderr) == (1, True)
    (python.folder / "gate").touch()
    process.succeed()
    events = [json.loads(line) for line in follower.succeed().splitlines()]
    assert [event["status"] for event in events if event["kind"] == "status"] == ["running", "completed"]
    assert "working on" in logs.succeed()
    assert "== work#1" in python.kitaru("executions", "logs", exec_id, "--grouped").stdout
    page = answer(python, "executions", "list", "--status", "completed", "--limit", "15")
    rest = answer(python, "executions", "list", "--limit", "15", "--cursor", page["cursor"])
    assert page["count"] + rest["count"] == 20


def test_clean_removes_what_there_is(python: Python) -> None:
    started(python, "asking", "--args", '{"topic": "tea"}')
    assert (python.home / ".kitaru" / "kitaru.db").exists()
    removed = answer(python, "clean", "global", "--yes")["items"]
    assert any(path.endswith("kitaru.db") for path in removed)
    assert not (python.home / ".kitaru" / "kitaru.db").exists()
    assert answer(python, "executions", "list")["count"] == 0


def test_a_project_keeps_its_own_executions(python: Python) -> None:
    assert answer(python, "init")["item"]["created"] is True
    assert answer(python, "init")["item"]["created"] is False
    started(python, "asking", "--args", '{"topic": "tea"}')
    assert (python.folder / ".kitaru" / "kitaru.db").exists()
    assert answer(python, "info")["item"]["project"] == str(python.folder.resolve())
