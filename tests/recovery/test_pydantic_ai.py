"""Runs of an agent over SIGKILL and over waits: what was paid is not paid again, and nobody is asked twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recovery.conftest import Stage
from tests.support.model_server import ModelServer
from tests.support.processes import wait_until
from tests.support.replies import ToolUse, reply

CALL_USD = 0.0002

FLOW = """
from pydantic_ai import Agent
from kitaru.adapters.pydantic_ai import hitl_tool, wrap

agent = Agent("anthropic:claude-haiku-4-5", name="writer")

@agent.tool_plain
@hitl_tool(question="In which tone?", schema=str)
def tone(topic: str) -> str:
    "Ask for the tone."

@agent.tool_plain(requires_approval=True)
def publish(text: str) -> str:
    ran(f"published {text}")
    return "published"

@agent.tool_plain
def look_up(word: str) -> str:
    ran(f"looked up {word}")
    if word == "slow":
        block_until("go")
    return "found"

writer = wrap(agent)

@kitaru.flow
def writing():
    first = writer.run_sync("Plan.")
    ran("planned")
    block_until("go")
    second = writer.run_sync("Write.", message_history=first.all_messages())
    return [second.output, len(second.all_messages()), len(second.new_messages()), second.usage.requests]

@kitaru.flow
async def writing_async():
    first = await writer.run("Plan.")
    ran("planned")
    block_until("go")
    second = await writer.run("Write.", message_history=first.all_messages())
    return [second.output, len(second.all_messages()), len(second.new_messages()), second.usage.requests]

if __name__ == "__main__":
"""


@pytest.fixture
def model(both: Stage, tmp_path: Path) -> Iterator[ModelServer]:
    """The provider; an answer costs $0.0002."""
    with ModelServer(tmp_path / "model.jsonl") as server:
        both.python.environment |= {"ANTHROPIC_API_KEY": "no-real-key", "ANTHROPIC_BASE_URL": server.url}
        yield server


@pytest.mark.parametrize("flow", ["writing", "writing_async"])
def test_a_run_that_was_completed_is_not_asked_again(both: Stage, model: ModelServer, flow: str) -> None:
    process, exec_id = both.start(FLOW + f"    {flow}.run().wait()")
    both.kill_at(process, "planned")
    assert len(model.requests) == 1
    both.open("go")
    both.resume(exec_id)
    execution = both.until(exec_id, "completed")
    assert len(model.requests) == 2
    assert len(model.requests[-1]["body"]["messages"]) == 3, "it goes on from the recorded messages"
    assert execution.result is not None
    assert execution.result.load() == ["Done.", 4, 2, 1]
    assert execution.cost_usd == pytest.approx(2 * CALL_USD)


def test_what_a_killed_run_had_paid_stays_on_record(both: Stage, model: ModelServer) -> None:
    model.answer_with(reply(ToolUse("look_up", {"word": "a"}), ToolUse("look_up", {"word": "slow"})))
    process, exec_id = both.start(FLOW + "    writing.run().wait()")
    both.kill_at(process, "looked up slow")
    assert both.client.executions.get(exec_id).cost_usd == pytest.approx(CALL_USD)
    model.answer_with("Planned.", "Done.")
    both.open("go")
    both.resume(exec_id)
    execution = both.until(exec_id, "completed")
    assert len(model.requests) == 3
    assert execution.cost_usd == pytest.approx(3 * CALL_USD), "the answer that was lost was paid"


def answer(both: Stage, exec_id: str, value: str) -> None:
    """As a person would, from another process."""
    done = both.python.kitaru("executions", "input", exec_id, "--value", value)
    assert done.returncode == 0, done.stderr


def test_people_answer_from_elsewhere_and_the_run_goes_on(both: Stage, model: ModelServer) -> None:
    model.answer_with(
        reply(ToolUse("tone", {"topic": "x"}), ToolUse("look_up", {"word": "a"})),
        reply(ToolUse("publish", {"text": "Dear all"})),
        reply("Sent."),
    )
    both.open("go")
    process, exec_id = both.start(FLOW + "    writing.run()")
    assert process.wait() == 0, "the process has ended; nothing runs while people think"
    execution = both.until(exec_id, "waiting")
    assert execution.pending_wait is not None
    assert (execution.pending_wait.name, execution.pending_wait.question) == ("tone", "In which tone?")
    assert len(model.requests) == 1
    wrong = both.python.kitaru("executions", "input", exec_id, "--value", "3")
    assert wrong.returncode == 2
    answer(both, exec_id, '"warm"')
    wait_until(lambda: len(model.requests) == 2, "the next turn")
    publishing = both.until(exec_id, "waiting").pending_wait
    assert publishing is not None
    assert publishing.question == "May the agent call publish(text='Dear all')?"
    assert "published Dear all" not in both.ran()
    answer(both, exec_id, "true")
    execution = both.until(exec_id, "completed")
    assert execution.result is not None
    assert execution.result.load()[0] == "Sent."
    assert both.ran().count("looked up a") == 1
    assert both.ran().count("published Dear all") == 1
    assert len(model.requests) == 4
    assert "warm" in str(model.requests[1]["body"]["messages"][-1])
    assert execution.cost_usd == pytest.approx(4 * CALL_USD)
