"""The real Claude Agent SDK uses the server's tools in a turn; its model is on loopback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.support.model_server import ModelServer
from tests.support.processes import Python
from tests.support.replies import ToolUse, reply

SCRIPT = """
import asyncio, os, sys
from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query

async def main():
    options = ClaudeAgentOptions(
        mcp_servers={"kitaru": {"type": "stdio", "command": sys.argv[1], "args": [], "env": dict(os.environ)}},
        allowed_tools=["mcp__kitaru__kitaru_memory_set", "mcp__kitaru__kitaru_memory_get"],
    )
    async for message in query(prompt="Remember that I like tea.", options=options):
        if isinstance(message, ResultMessage):
            print(message.result)

asyncio.run(main())
"""


def test_claude_remembers(python: Python, claude_env: dict[str, str], model_server: ModelServer) -> None:
    python.environment.update(claude_env)
    scope = {"key": "likes", "scope": "team"}
    model_server.answer_with(
        reply(ToolUse("mcp__kitaru__kitaru_memory_set", {**scope, "value": "tea"})),
        reply(ToolUse("mcp__kitaru__kitaru_memory_get", scope)),
        "You like tea.",
    )
    said = python.run(python.script(SCRIPT), str(Path(sys.executable).with_name("kitaru-mcp")))
    assert "You like tea." in said
    seen = json.dumps(model_server.requests[-1]["body"]["messages"])
    assert '\\"value\\":\\"tea\\"' in seen.replace(": ", ":").replace("\\n", "").replace(" ", "")
    found = python.kitaru("memory", "get", "likes", "--scope", "team")
    assert found.stdout.strip() == "tea"
