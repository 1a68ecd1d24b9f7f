"""The tools as plain functions, and as they are described to clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

import kitaru
from kitaru.mcp import server

PROMISED = {
    *(
        f"kitaru_executions_{name}"
        for name in (
            *("list", "get", "latest", "run", "logs", "statistics", "input"),
            *("retry", "resume", "cancel", "replay", "diff"),
        )
    ),
    *(f"kitaru_artifacts_{name}" for name in ("list", "get", "lineage", "diff")),
    *(
        f"kitaru_memory_{name}"
        for name in (
            *("list", "get", "set", "delete", "history", "as_of"),
            *("purge", "purge_scope", "compact", "compaction_log"),
        )
    ),
    *("kitaru_stacks_list", "kitaru_status"),
}


@kitaru.flow
def simple() -> int:
    return 1


@pytest.mark.usefixtures("kitaru_home")
def test_they_are_plain_functions_that_return_json_types() -> None:
    exec_id = simple.run().exec_id
    while server.kitaru_executions_get(exec_id)["status"] != "completed":
        pass
    (listed,) = server.kitaru_executions_list(status="completed", flow="simple", stack=None, limit=5)
    assert listed["exec_id"] == exec_id
    assert server.get_execution_logs is server.kitaru_executions_logs
    assert server.get_execution_logs(exec_id) == []
    assert server.kitaru_status()["executions"]["completed"] == 1


def test_every_tool_is_there_and_described() -> None:
    async def tools() -> list[Any]:
        return await server.make_server().list_tools()

    found = anyio.run(tools)
    assert {tool.name for tool in found} == PROMISED
    for tool in found:
        assert tool.description
        assert tool.output_schema, tool.name
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{tool.name}({name})"


def test_install_keeps_what_is_there(python: Any, tmp_path: Path) -> None:
    import json

    config = tmp_path / ".mcp.json"
    config.write_text('{"mcpServers": {"other": {"command": "x"}}, "more": 1}')
    done = python.kitaru("mcp", "install", "claude-code", "--folder", str(tmp_path), "--read-only")
    assert done.returncode == 0, done.stderr
    found = json.loads(config.read_text())
    assert found["more"] == 1
    assert found["mcpServers"]["other"] == {"command": "x"}
    assert found["mcpServers"]["kitaru"]["args"] == ["--read-only"]
    config.write_text("{ not json")
    refused = python.kitaru("mcp", "install", "claude-code", "--folder", str(tmp_path))
    assert refused.returncode == 2
    assert "nothing was written" in refused.stderr
    assert config.read_text() == "{ not json"
    shown = python.kitaru("mcp", "install", "vscode", "--folder", str(tmp_path), "--print")
    assert json.loads(shown.stdout)["servers"]["kitaru"]["type"] == "stdio"
    assert not (tmp_path / ".vscode").exists()
