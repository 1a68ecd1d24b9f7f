"""A call whose span has ended was paid: it is on record, though the process is killed before its checkpoint ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recovery.conftest import Stage
from tests.support.model_server import ModelServer

FLOW = """
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from kitaru.otel import KitaruSpanProcessor

provider = TracerProvider()
provider.add_span_processor(KitaruSpanProcessor())
Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
agent = Agent("anthropic:claude-haiku-4-5")

@kitaru.checkpoint
def draft():
    text = agent.run_sync("Draft.").output
    ran("drafted")
    block_until("go")
    return text

@kitaru.flow
def writing():
    return draft()

if __name__ == "__main__":
    writing.run().wait()
"""


def test_money_spent_is_on_record_over_a_kill(both: Stage, tmp_path: Path) -> None:
    with ModelServer(tmp_path / "model.jsonl") as server:
        both.python.environment |= {"ANTHROPIC_API_KEY": "no-real-key", "ANTHROPIC_BASE_URL": server.url}
        process, exec_id = both.start(FLOW)
        both.kill_at(process, "drafted")
        assert both.client.executions.get(exec_id).cost_usd == pytest.approx(0.0002)
        both.open("go")
        both.resume(exec_id)
        execution = both.until(exec_id, "completed")
    (call,) = execution.checkpoints
    assert [one.call_id for one in call.llm_calls] == ["draft#1/chat#1", "draft#1/chat#2"]
    assert execution.cost_usd == pytest.approx(0.0004)
    assert len(server.requests) == 2
