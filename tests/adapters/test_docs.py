"""The script on the documentation's page works as it is written, and so do its commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from kitaru import KitaruClient
from tests.support.model_server import ModelServer
from tests.support.processes import Python, wait_until
from tests.support.replies import ToolUse, reply

PAGE = (Path(__file__).parents[2] / "docs" / "pydantic-ai.md").read_text()


def test_the_page(python: Python, model_server: ModelServer) -> None:
    python.environment |= {"ANTHROPIC_API_KEY": "no-real-key", "ANTHROPIC_BASE_URL": model_server.url}
    model_server.answer_with(
        reply(ToolUse("tone", {"topic": "the sea"})), reply(ToolUse("publish", {"text": "The sea."})), "Done."
    )
    ((name, text),) = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    python.script(text, name)
    exec_id = re.findall(r"kr-[0-9a-f]{16}", python.run(name))[0]
    tone, _, deny = re.findall(r"^kitaru (executions input .*)$", PAGE, re.MULTILINE)
    client = KitaruClient()
    for command, wait in ((tone, "tone"), (deny, "publish")):
        wait_until(
            lambda wait=wait: [w for w in client.executions.pending_waits(exec_id) if w.name == wait], wait
        )
        done = python.kitaru(*shlex.split(command.replace("kr-…", exec_id)))
        assert done.returncode == 0, done.stderr
    execution = wait_until(
        lambda: (found := client.executions.get(exec_id)).status.is_finished and found, "the end"
    )
    assert execution.status == "completed"
    assert "Not on a Friday." in str(model_server.requests[-1]["body"]["messages"])
