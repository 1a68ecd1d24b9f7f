"""The example of durable turns, and the documentation's page, with the real SDK on a model server on loopback."""

from __future__ import annotations

import re
from pathlib import Path

from kitaru import KitaruClient
from tests.support.model_server import ModelServer
from tests.support.processes import Python, wait_until
from tests.support.replies import ToolUse, reply

ROOT = Path(__file__).parents[2]


def test_the_example(python: Python, claude_env: dict[str, str], model_server: ModelServer) -> None:
    python.environment.update(claude_env)
    target = python.folder / "desk" / "note.txt"
    model_server.answer_with(
        reply(ToolUse("Write", {"file_path": str(target), "content": "A line."})), "Written.", "It is good."
    )
    process = python.start(ROOT / "examples" / "claude_desk" / "desk.py")
    client = KitaruClient()
    (waiting,) = wait_until(lambda: client.executions.list(status="waiting"), "the question")
    assert "waits for 'Write'" in process.succeed()
    assert not target.exists()
    assert python.kitaru("executions", "input", waiting.exec_id, "--value", "true").returncode == 0
    result = wait_until(lambda: client.executions.get(waiting.exec_id).result, "the result")
    assert result.load() == "It is good. ($0.0024)"
    assert target.read_text() == "A line."
    assert len(model_server.requests) == 3


def test_the_script_of_the_page(
    python: Python, claude_env: dict[str, str], model_server: ModelServer
) -> None:
    python.environment.update(claude_env)
    page = (ROOT / "docs" / "claude-agent-sdk.md").read_text()
    ((name, text),) = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", page, re.DOTALL)
    python.script(text, name)
    model_server.answer_with("Drafted.", "Sent.")
    assert python.run(name).splitlines()[-1] == "Sent."
    assert len(model_server.requests) == 2
