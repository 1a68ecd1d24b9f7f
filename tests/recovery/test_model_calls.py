"""Model calls and SIGKILL: what was answered is not paid again, and what was paid stays on record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recovery.conftest import Stage
from tests.support.model_server import ModelServer

FLOW = """
@kitaru.checkpoint
def draft():
    text = kitaru.llm("Draft.")
    ran("drafted")
    block_until("go")
    return text

@kitaru.flow
def writing():
    plan = kitaru.llm("Plan.")
    return plan + draft()

@kitaru.flow(budget_usd=0.0005)
def dear():
    return [kitaru.llm(f"Part {n}.") for n in range(4)]

if __name__ == "__main__":
"""


@pytest.fixture
def model(both: Stage, tmp_path: Path) -> Iterator[ModelServer]:
    """A provider under the default alias; an answer costs $0.0002."""
    both.python.environment["ANTHROPIC_API_KEY"] = "no-real-key"
    with ModelServer(tmp_path / "model.jsonl") as server:
        both.client.models.register("m", "anthropic/claude-haiku-4-5", base_url=server.url, default=True)
        yield server


def test_an_answer_is_not_paid_twice_and_a_lost_attempt_is_on_record(both: Stage, model: ModelServer) -> None:
    process, exec_id = both.start(FLOW + "    writing.run().wait()")
    both.kill_at(process, "drafted")
    (call,) = both.client.executions.get(exec_id).checkpoints
    assert call.call_id == "llm#1"
    assert both.client.executions.get(exec_id).tokens == 2 * 120, "the draft that was lost was paid for"
    both.client.models.register("m", "openai/not-this-one", default=True)
    both.open("go")
    both.resume(exec_id)
    execution = both.until(exec_id, "completed")
    asked = [request["body"]["messages"][0]["content"] for request in model.requests]
    assert [("Plan." in str(one), "Draft." in str(one)) for one in asked] == [
        (True, False),
        (False, True),
        (False, True),
    ]
    draft = execution.checkpoints[1]
    assert [one.call_id for one in draft.llm_calls] == ["draft#1/llm#1", "draft#1/llm#2"]
    assert execution.cost_usd == pytest.approx(3 * 0.0002)


def test_a_spent_budget_is_raised_and_nothing_is_paid_again(both: Stage, model: ModelServer) -> None:
    process, exec_id = both.start(FLOW + "    dear.run()")
    process.wait()
    execution = both.client.executions.get(exec_id)
    assert execution.status == "failed"
    assert execution.failure is not None
    assert "KitaruBudgetExceeded" in execution.failure.type
    assert execution.cost_usd == pytest.approx(0.0006), "the call that began above the budget did not start"
    refused = both.python.kitaru("executions", "resume", exec_id, "--budget-usd", "0.0006")
    assert refused.returncode == 2
    assert "higher one" in refused.stderr
    done = both.python.kitaru("executions", "resume", exec_id, "--budget-usd", "1")
    assert done.returncode == 0, done.stderr
    both.until(exec_id, "completed")
    assert len(model.requests) == 4
