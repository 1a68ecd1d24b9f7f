import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import ModelServer, read_requests
from tests.support.processes import Python, lines, wait_until
from tests.support.replies import Refusal, ToolUse, reply


def ask(port: int, **changes: Any) -> bytes:
    body = {"model": "claude-x", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]} | changes
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/messages?beta=true",
        data=json.dumps({name: value for name, value in body.items() if value is not None}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return response.read()


def test_answers_come_in_turn_and_the_last_one_stays(model_server: ModelServer) -> None:
    model_server.answer_with("one", "two")
    texts = [json.loads(ask(model_server.port))["content"][0]["text"] for _ in range(3)]
    assert texts == ["one", "two", "two"]
    assert [request["body"]["model"] for request in model_server.requests] == ["claude-x"] * 3


def test_a_stream_has_the_six_kinds_of_events(model_server: ModelServer) -> None:
    model_server.answer_with(reply("I look.", ToolUse("read", {"path": "a"})))
    events = ask(model_server.port, stream=True).decode().split("\n\n")
    assert {event.split("\n")[0].removeprefix("event: ") for event in events if event} == {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }


def test_a_request_without_a_model_is_refused(model_server: ModelServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        ask(model_server.port, model=None)
    refused.value.close()


def test_it_runs_as_a_program(python: Python, tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    project = Path(__file__).resolve().parents[2]
    process = python.start(
        "-m", "tests.support.model_server", "--log", log, "--reply", "Hello.", folder=project
    )
    port = int(wait_until(lambda: lines(process.output_file), "the port")[0])
    assert json.loads(ask(port))["content"] == [{"type": "text", "text": "Hello."}]
    assert len(read_requests(log)) == 1


@pytest.mark.usefixtures("claude_env")
def test_the_real_claude_agent_sdk_reads_a_file(model_server: ModelServer, tmp_path: Path) -> None:
    from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query

    file = tmp_path / "note.txt"
    file.write_text("four hundred and one")
    model_server.answer_with(
        Refusal(529, "overloaded_error", "Overloaded"),
        reply("I look. ", ToolUse("Read", {"file_path": str(file)})),
        "It says 401.",
    )

    async def turn() -> list[object]:
        options = ClaudeAgentOptions(cwd=tmp_path, allowed_tools=["Read"])
        return [message async for message in query(prompt="What does note.txt say?", options=options)]

    last = asyncio.run(turn())[-1]
    assert isinstance(last, ResultMessage)
    assert last.result == "It says 401."
    assert len(model_server.requests) == 3
    assert "four hundred and one" in json.dumps(model_server.requests[-1]["body"]["messages"])
