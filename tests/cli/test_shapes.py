"""Every JSON answer has the shape that ``docs/cli.md`` documents."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.processes import Python

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
ROW = re.compile(r"^\| ([a-z][a-z -]*) \| (item|items|lines) \| (.*?) ?\|$", re.MULTILINE)

SCRIPT = """
import kitaru

@kitaru.checkpoint
def work():
    print("working")
    return "some work"

@kitaru.flow
def asking():
    work()
    return kitaru.wait("approve")

@kitaru.flow
def broken():
    raise ValueError("a bug")
"""


def keys_of(told: str) -> set[str]:
    """The keys that a row of the page promises."""
    if told == "an execution":
        told = re.search(r"An execution has: (.*?)\.\n", PAGE, re.DOTALL).group(1)  # type: ignore[union-attr]
    if told == "an artifact":
        told = re.search(r"An artifact has: (.*?)\.\n", PAGE, re.DOTALL).group(1)  # type: ignore[union-attr]
    if told.startswith("a memory entry"):
        entry = re.search(r"A memory entry has: (.*?)\.\n", PAGE, re.DOTALL).group(1)  # type: ignore[union-attr]
        told = told.replace("a memory entry", entry)
    return {key.strip() for key in told.split(",") if key.strip()}


def asked(python: Python, command: str, *arguments: str, code: int = 0) -> Any:
    """Run a command and hold its answer against its row; the answer's first thing."""
    form, told = SHAPES.pop(command)
    done = python.kitaru(*command.split(), *arguments, "-o", "json")
    assert done.returncode == code, done.stderr
    if form == "lines":
        things = [json.loads(line) for line in done.stdout.splitlines()]
    else:
        answer = json.loads(done.stdout)
        extra = {"cursor"} if command == "executions list" else set[str]()
        assert set(answer) == (
            {"command", "item"} if form == "item" else {"command", "items", "count"} | extra
        )
        assert answer["command"] == command.removesuffix(" global --dry-run")
        things = answer["items"] if form == "items" else [answer["item"]]
    for thing in things:
        assert set(thing) == keys_of(told) if told else isinstance(thing, str)
    assert things, command
    return things[0]


def python_execution(python: Python, flow: str) -> str:
    """The newest execution of a flow; it remembers something of the flow's own."""
    found = json.loads(python.kitaru("executions", "list", "--flow", flow, "-o", "json").stdout)["items"][0]
    remember = ("memory", "set", "k", "1", "--scope", found["exec_id"], "--scope-type", "execution")
    assert python.kitaru(*remember).returncode == 0
    return found["exec_id"]


SHAPES: dict[str, tuple[str, str]] = {}


def test_every_answer_is_as_documented(python: Python) -> None:
    SHAPES.update({command: (form, told) for command, form, told in ROW.findall(PAGE)})
    assert len(SHAPES) == 43
    python.script(SCRIPT, "flows.py")
    asked(python, "status")
    asked(python, "info")
    first = asked(python, "run", "flows:asking")["exec_id"]
    asked(python, "executions list")
    asked(python, "executions get", first)
    asked(python, "executions logs", first)
    asked(python, "executions preflight")
    asked(python, "executions diff", first, first)
    artifact = asked(python, "artifacts list", first)["artifact_id"]
    asked(python, "artifacts get", artifact)
    asked(python, "artifacts download", artifact, "--to", "topic.txt")
    asked(python, "artifacts diff", artifact, artifact)
    asked(python, "artifacts lineage", artifact)
    asked(python, "executions statistics")
    team = ("--scope", "team")
    asked(python, "memory set", "notes", '"green tea"', *team)
    asked(python, "memory get", "notes", *team)
    asked(python, "memory list", *team)
    asked(python, "memory history", "notes", *team)
    asked(python, "memory search", "tea")
    asked(python, "memory scopes")
    python.environment["KITARU_LLM_MOCK_RESPONSE"] = "Tea."
    asked(python, "memory compact", "notes", *team)
    asked(python, "memory as-of", python_execution(python, "memory-compaction"))
    asked(python, "memory compaction-log")
    asked(python, "memory delete", "notes", *team)
    asked(python, "memory purge", "notes", *team, "--keep", "1")
    asked(python, "memory purge-scope", *team, "--include-deleted")
    asked(python, "model register", "fast", "--model", "google/gemini-2.5-flash")
    asked(python, "model list")
    asked(python, "mcp install", "cursor")
    asked(python, "model delete", "fast")
    asked(python, "executions input", first, "--value", "true")
    asked(python, "executions watch", first)
    second = asked(python, "executions replay", first, "--from", "approve", "--wait")["exec_id"]
    asked(python, "executions abort-wait", second)
    python.kitaru("executions", "watch", second)
    asked(python, "executions retry", second)
    third = json.loads(python.kitaru("run", "flows:asking", "-o", "json").stdout)["item"]["exec_id"]
    asked(python, "executions cancel", third)
    asked(python, "clean global --dry-run")
    killed = python.start(
        "-c",
        "import flows, os, signal; flows.work.__wrapped__(); flows.asking.run(); os.kill(os.getpid(), signal.SIGKILL)",
    )
    killed.wait()
    listed = json.loads(python.kitaru("executions", "list", "--status", "running", "-o", "json").stdout)[
        "items"
    ]
    asked(python, "executions resume", listed[0]["exec_id"])
    asked(python, "secrets set", "mail", "--PASSWORD=correct horse")
    asked(python, "secrets list")
    asked(python, "secrets show", "mail")
    asked(python, "secrets delete", "mail", "--yes")
    asked(python, "init")
    assert SHAPES == {}, "every row was asked for"
