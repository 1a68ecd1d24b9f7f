"""Durable turns of the Claude Agent SDK, which is the real one with its CLI, on a model server on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from kitaru import KitaruClient
from kitaru.models import Execution
from tests.recovery.conftest import Stage
from tests.support.model_server import ModelServer
from tests.support.processes import wait_until
from tests.support.replies import Reply, Text, ToolUse, reply

SCRIPT = """
from claude_agent_sdk import ClaudeAgentOptions, ResultMessage
from kitaru.adapters.claude_agent_sdk import query, run, run_async

OPTIONS = ClaudeAgentOptions(cwd=str(HERE / "repo"), permission_mode="acceptEdits")

@kitaru.checkpoint
def pause():
    ran("paused")
    block_until("gate")

@kitaru.flow
def two_turns():
    first = run("Write a note.", options=OPTIONS, workspace=True)
    pause()
    second = run("And now?", options=OPTIONS, session=first.session, workspace=True)
    return [first.text, second.text, first.cost_usd, second.cost_usd]

@kitaru.flow
def approved():
    turn = run("Write a note.", options=OPTIONS, approve=["Wri*"], workspace=True, name="writer")
    return [turn.text, turn.num_turns, turn.cost_usd]

@kitaru.flow
async def streamed():
    texts = []
    async for message in query(prompt="Hello?", options=OPTIONS, approve=["Write"]):
        if isinstance(message, ResultMessage):
            texts.append(message.result)
    return texts

@kitaru.checkpoint
def own():
    return run("Hello?", options=OPTIONS).text

@kitaru.checkpoint
def asks_and_dies():
    text = run("Hello?", options=OPTIONS).text
    ran("asked")
    block_until("gate")
    return text

@kitaru.flow
def dying():
    return asks_and_dies()

@kitaru.flow
def inside():
    return own()

if __name__ == "__main__":
    import sys
    handle = globals()[sys.argv[1]].run()
    handle.until_suspended()
"""


class Claude:
    def __init__(self, stage: Stage, server: ModelServer, environment: dict[str, str]) -> None:
        self.stage, self.server = stage, server
        stage.python.environment.update(environment)
        self.home = Path(environment["HOME"])
        self.repo = stage.python.folder / "repo"
        self.repo.mkdir()
        self.client = KitaruClient()

    def write_tool(self) -> ToolUse:
        return ToolUse("Write", {"file_path": str(self.repo / "note.txt"), "content": "a note"})

    def start(self, flow: str) -> tuple[Any, str]:
        process = self.stage.python.start(self.stage.write(SCRIPT), flow)
        page = wait_until(lambda: self.client.executions.list(limit=1), "an execution")
        return process, page[0].exec_id

    def until(self, exec_id: str, status: str) -> Execution:
        def there() -> Execution | None:
            found = self.client.executions.get(exec_id)
            assert found.status == status or found.status != "failed", found.failure
            return found if found.status == status else None

        found = wait_until(there, status)
        assert found is not None
        return found

    def lose_everything(self) -> None:
        """Another machine: neither the SDK's own files nor the agent's are there."""
        rmtree(self.home / ".claude")
        rmtree(self.repo)


@pytest.fixture
def claude(both: Stage, model_server: ModelServer, claude_env: dict[str, str]) -> Claude:
    return Claude(both, model_server, claude_env)


def said(request: Any) -> str:
    return json.dumps(request["body"]["messages"])


def test_a_session_goes_on_on_another_machine_after_a_kill(claude: Claude) -> None:
    claude.server.answer_with(reply(claude.write_tool()), "It is written.", "Now it is read.")
    process, exec_id = claude.start("two_turns")
    claude.stage.kill_at(process, "paused")
    assert len(claude.server.requests) == 2
    claude.lose_everything()
    claude.stage.open("gate")
    claude.stage.resume(exec_id)
    execution = claude.until(exec_id, "completed")
    assert execution.result is not None
    first, second, first_cost, second_cost = execution.result.load()
    assert (first, second) == ("It is written.", "Now it is read.")
    assert (claude.repo / "note.txt").read_text() == "a note"
    assert len(claude.server.requests) == 3, "the first turn was not asked again"
    assert all(
        text in said(claude.server.requests[-1]) for text in ("Write a note.", "It is written.", "And now?")
    )
    turns = [call for call in execution.checkpoints if call.name == "claude"]
    assert [[tool.name for tool in turn.tool_calls] for turn in turns] == [["Write"], []]
    assert [turn.cost_usd for turn in turns] == pytest.approx([first_cost, second_cost])
    assert execution.cost_usd == pytest.approx(first_cost + second_cost)
    assert [turn.llm_calls[0].input_tokens for turn in turns] == [200, 100]


@pytest.mark.parametrize("yes", [True, False])
def test_a_tool_waits_for_a_person_without_a_process(claude: Claude, yes: bool) -> None:
    claude.server.answer_with(reply("I shall write.", claude.write_tool()), "Done as you say.")
    process, exec_id = claude.start("approved")
    process.succeed()
    execution = claude.until(exec_id, "waiting")
    question = execution.pending_wait
    assert question is not None
    assert question.name == "Write"
    assert question.question is not None
    assert "note.txt" in question.question
    assert question.metadata is not None
    assert question.metadata["arguments"]["content"] == "a note"
    assert len(claude.server.requests) == 1
    claude.lose_everything()
    answer: Any = True if yes else {"approved": False, "message": "Not on a Friday."}
    claude.client.executions.input(exec_id, value=answer)
    execution = claude.until(exec_id, "completed")
    assert (claude.repo / "note.txt").exists() == yes
    assert ("Not on a Friday." in said(claude.server.requests[-1])) != yes
    assert execution.result is not None
    text, turns, cost = execution.result.load()
    assert (text, turns) == ("Done as you say.", 2)
    assert execution.cost_usd == pytest.approx(cost)
    assert len(claude.server.requests) == 2


def test_async_flows_iterate_over_a_turn_that_is_on_record(claude: Claude) -> None:
    claude.server.answer_with(reply(claude.write_tool()), "Streamed.")
    process, exec_id = claude.start("streamed")
    process.succeed()
    claude.until(exec_id, "waiting")
    claude.client.executions.input(exec_id, value=True)
    execution = claude.until(exec_id, "completed")
    assert execution.result is not None
    assert execution.result.load()[-1] == "Streamed."
    asked = len(claude.server.requests)
    replay = claude.client.executions.replay(exec_id, overrides={"wait.Write": True})
    execution = claude.until(replay.exec_id, "completed")
    assert len(claude.server.requests) == asked + 1, "the turn before the wait answered from the record"


def test_in_a_checkpoint_it_is_a_part_of_that(claude: Claude) -> None:
    claude.server.answer_with(Reply((Text("Hello."),), input_tokens=77))
    process, exec_id = claude.start("inside")
    process.succeed()
    execution = claude.until(exec_id, "completed")
    (call,) = execution.checkpoints
    assert (call.name, call.llm_calls[0].input_tokens) == ("own", 77)


def test_what_a_killed_attempt_was_answered_stays_paid(claude: Claude) -> None:
    process, exec_id = claude.start("dying")
    claude.stage.kill_at(process, "asked")
    (call,) = claude.client.executions.list(limit=1)
    assert call.cost_usd == pytest.approx(0.0008)
    claude.stage.open("gate")
    claude.stage.resume(exec_id)
    execution = claude.until(exec_id, "completed")
    assert execution.cost_usd == pytest.approx(0.0016)
    assert len(execution.checkpoints[0].llm_calls) == len(claude.server.requests) == 2
