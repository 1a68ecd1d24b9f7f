"""The Claude Agent SDK in checkpoints that know nothing of being observed; the SDK and its CLI are the real ones."""

from __future__ import annotations

import json
import logging
import types
from pathlib import Path
from typing import Any

import pytest

from kitaru import KitaruClient
from kitaru.models import CheckpointCall
from kitaru.observing.claude import watch
from tests.support.model_server import ModelServer
from tests.support.processes import PROJECT, Python
from tests.support.replies import Refusal, Reply, Text, ToolUse


class Flows:
    """Runs the flows of ``claude_flows.py``."""

    def __init__(self, python: Python) -> None:
        self._python = python
        self.client = KitaruClient()

    def run(self, flow: str, *arguments: Any) -> tuple[list[CheckpointCall], Any]:
        """The checkpoints' calls, and the result."""
        said = self._python.run("-m", "tests.observing.claude_flows", flow, json.dumps(arguments))
        (line,) = [line for line in said.splitlines() if line.startswith('["kr-')]
        exec_id, result = json.loads(line)
        execution = self.client.executions.get(exec_id)
        return [call for call in execution.checkpoints if call.kind == "checkpoint"], result


@pytest.fixture
def flows(claude_env: dict[str, str], python: Python) -> Flows:
    python.environment.update(claude_env)
    python.environment["PYTHONPATH"] = str(PROJECT)
    return Flows(python)


def values(call: Any) -> dict[str, Any]:
    return {ref.name: ref.load() for ref in call.artifacts}


def test_turns_tools_tokens_and_dollars_are_on_record(
    flows: Flows, model_server: ModelServer, tmp_path: Path
) -> None:
    target = tmp_path / "notes.txt"
    write = ToolUse("Write", {"file_path": str(target), "content": "new"})
    missing = ToolUse("Read", {"file_path": str(tmp_path / "nowhere.txt")})
    model_server.answer_with(
        Reply((Text("I write."), write), input_tokens=1000, output_tokens=50, cached_tokens=400),
        Reply((missing,), input_tokens=1100, output_tokens=10, cached_tokens=1000),
        Reply((Text("It is done."),), input_tokens=1200, output_tokens=30),
    )
    options = {"permission_mode": "acceptEdits", "cwd": str(tmp_path)}
    (call,), result = flows.run("one_turn", "Write a note.", options)
    assert result == "It is done."
    (model,) = call.llm_calls
    assert (model.provider, model.status, model.failure) == ("anthropic", "completed", None)
    assert (model.input_tokens, model.output_tokens, model.cache_read_tokens) == (3300, 90, 1400)
    assert model.info["turns"] == 3
    assert model.info["session_id"]
    assert values(model) == {"prompt": "Write a note.", "response": "It is done."}
    wrote, read = call.tool_calls
    assert (wrote.name, wrote.status, wrote.parent) == ("Write", "completed", model.call_id)
    assert values(wrote)["input"] == {"file_path": str(target), "content": "new"}
    assert "created successfully" in values(wrote)["output"]
    assert (read.name, read.status) == ("Read", "failed")
    assert read.failure is not None
    assert "does not exist" in read.failure.message
    (execution,) = flows.client.executions.list()
    assert execution.cost_usd == call.cost_usd == model.cost_usd
    assert model.cost_usd
    assert execution.tokens == 3390
    (row,) = flows.client.executions.statistics("model")
    assert (row["group"], row["cost_usd"]) == (f"anthropic/{model.model}", model.cost_usd)


def test_what_a_connection_sums_up_is_counted_once(flows: Flows, model_server: ModelServer) -> None:
    model_server.answer_with("First.", Reply((Text("Second."),), input_tokens=500), "Third.")
    (call,), totals = flows.run("talking", ["one", "two", "three"])
    assert [model.input_tokens for model in call.llm_calls] == [100, 500, 100]
    assert [values(model)["prompt"] for model in call.llm_calls] == ["one", "two", "three"]
    assert [values(model)["response"] for model in call.llm_calls] == ["First.", "Second.", "Third."]
    assert call.cost_usd == pytest.approx(totals[-1])


def test_a_session_that_goes_on_is_counted_once(flows: Flows, model_server: ModelServer) -> None:
    model_server.answer_with("First.", Reply((Text("Second."),), input_tokens=500), "Third.")
    first, second = (call.llm_calls[0] for call in flows.run("two_checkpoints")[0])
    assert (first.input_tokens, second.input_tokens) == (100, 500)
    assert first.cost_usd is not None
    assert second.cost_usd is not None
    totals = second.info["session_totals"][second.model]
    assert first.cost_usd + second.cost_usd == pytest.approx(totals["costUSD"])
    # Another execution does not know what the session had cost: what the turn itself tells is priced by the list.
    (call,), _ = flows.run("goes_on", first.info["session_id"])
    (third,) = call.llm_calls
    assert (third.input_tokens, third.output_tokens) == (100, 20)
    assert third.info["cost_from"] == "price list"


def test_a_turn_that_is_left_early_has_failed(flows: Flows, model_server: ModelServer) -> None:
    (step,), model = flows.run("leaving", "one")
    (call,) = step.llm_calls
    assert (call.status, call.model, call.input_tokens, call.output_tokens) == ("failed", model, 100, None)
    assert call.cost_usd is None


def test_an_error_of_the_model_is_on_record(flows: Flows, model_server: ModelServer) -> None:
    model_server.answer_with(Refusal(400, "invalid_request_error", "the prompt is too odd"))
    (step,), result = flows.run("one_turn", "one", {})
    assert "the prompt is too odd" in result
    (call,) = step.llm_calls
    assert call.status == "failed"
    assert call.failure is not None
    assert "the prompt is too odd" in call.failure.message


def test_an_unknown_version_is_told_once_and_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    module = types.ModuleType("claude_agent_sdk._internal.query")
    with caplog.at_level(logging.WARNING):
        watch(module)
    assert "its model calls and their cost are not recorded" in caplog.text
    assert not vars(module).get("Query")


def test_the_sdk_is_observed_however_late_it_is_imported(claude_env: dict[str, str], python: Python) -> None:
    python.environment.update(claude_env)
    script = python.script("""
import asyncio, sys
import kitaru

@kitaru.checkpoint
def turn():
    from claude_agent_sdk import query

    async def ask():
        async for message in query(prompt="Hello?"):
            pass
        return str(message.result)

    return asyncio.run(ask())

@kitaru.flow
def late():
    return turn()

if __name__ == "__main__":
    assert "claude_agent_sdk" not in sys.modules
    handle = late.run()
    print(handle.wait())
    found = kitaru.KitaruClient().executions.get(handle.exec_id)
    late.replay(handle.exec_id).wait()
    outside = turn.__wrapped__()
    print(found.cost_usd, found.tokens, len(found.checkpoints[0].llm_calls), outside)
""")
    said, cost = python.run(script).splitlines()[-2:]
    assert said == "Done."
    assert cost == "0.0008 120 1 Done."
