"""Real SDKs with their own instrumentation, against a model server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.instrumented import InstrumentationSettings

import kitaru
from kitaru import KitaruClient
from kitaru.client import CheckpointCall
from tests.support.model_server import ModelServer
from tests.support.replies import Refusal, Reply, Text, ToolUse, reply

Recorded = Callable[[Callable[[], Any]], CheckpointCall]
MODEL = "anthropic:claude-haiku-4-5"
CALL_USD = 0.0002


@pytest.fixture
def agent(provider: TracerProvider, server: ModelServer) -> Agent:
    settings = InstrumentationSettings(tracer_provider=provider)
    agent = Agent(MODEL, capabilities=[Instrumentation(settings=settings)])

    @agent.tool_plain
    def weather(city: str) -> str:
        if city == "Atlantis":
            raise LookupError("no such city")
        return f"sunny in {city}"

    return agent


def said(agent: Agent, question: str) -> str:
    """The agent's answer, asked on a loop that is closed again, as are its connections."""

    async def ask() -> str:
        async with agent:
            return (await agent.run(question)).output

    return asyncio.run(ask())


def test_an_agents_calls_and_tools(recorded: Recorded, agent: Agent, server: ModelServer) -> None:
    server.answer_with(
        reply(ToolUse("weather", {"city": "Oslo"})), Reply((Text("Sunny."),), 200, 30, cached_tokens=50)
    )
    found = recorded(lambda: said(agent, "The weather in Oslo?"))
    assert len(server.requests) == 2
    first, second = found.llm_calls
    assert (first.provider, first.model) == ("anthropic", "claude-haiku-4-5")
    assert first.cost_usd == pytest.approx(CALL_USD)
    assert (second.input_tokens, second.output_tokens, second.cache_read_tokens) == (200, 30, 50)
    assert second.cost_usd == pytest.approx((150 * 1 + 50 * 0.1 + 30 * 5) / 1e6)
    assert "The weather in Oslo?" in str(first.artifacts[0].load())
    (tool,) = found.tool_calls
    assert (tool.name, tool.status) == ("weather", "completed")
    assert [one.load() for one in tool.artifacts] == [{"city": "Oslo"}, "sunny in Oslo"]


def test_a_tool_that_fails_is_on_record(recorded: Recorded, agent: Agent, server: ModelServer) -> None:
    server.answer_with(reply(ToolUse("weather", {"city": "Atlantis"})))

    def body() -> None:
        with pytest.raises(LookupError):
            said(agent, "The weather in Atlantis?")

    found = recorded(body)
    assert [tool.status for tool in found.tool_calls] == ["failed"]
    assert [call.status for call in found.llm_calls] == ["completed"]


def test_a_refused_request_is_on_record(recorded: Recorded, agent: Agent, server: ModelServer) -> None:
    server.answer_with(Refusal(400, "invalid_request_error", "no"))

    def body() -> None:
        with pytest.raises(ModelHTTPError):
            said(agent, "Hello?")

    (call,) = recorded(body).llm_calls
    assert (call.status, call.cost_usd, call.model) == ("failed", None, "claude-haiku-4-5")
    assert call.failure is not None
    assert "400" in call.failure.message


def test_a_streamed_answer(recorded: Recorded, agent: Agent, server: ModelServer) -> None:
    async def stream() -> str:
        async with agent, agent.run_stream("Hello?") as result:
            return await result.get_output()

    found = recorded(lambda: asyncio.run(stream()))
    assert [call.cost_usd for call in found.llm_calls] == [pytest.approx(CALL_USD)]


def test_kitarus_own_calls_are_counted_once(
    recorded: Recorded, provider: TracerProvider, server: ModelServer
) -> None:
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    try:
        found = recorded(lambda: kitaru.llm("Hello?", model="anthropic/claude-haiku-4-5"))
    finally:
        Agent.instrument_all(False)
    assert [call.call_id for call in found.llm_calls] == ["step#1/llm#1"]


def test_checkpoints_side_by_side_and_a_replay(
    client: KitaruClient, agent: Agent, server: ModelServer
) -> None:
    @kitaru.checkpoint
    async def ask(question: str) -> str:
        return (await agent.run(question)).output

    @kitaru.flow
    async def asking() -> list[str]:
        async with agent:
            first = list(await asyncio.gather(*(ask(f"Question {number}?") for number in range(4))))
            return [*first, await ask("The last?")]

    handle = asking.run()
    assert handle.wait() == ["Done."] * 5
    execution = client.executions.get(handle.exec_id)
    for checkpoint in execution.checkpoints:
        (call,) = checkpoint.llm_calls
        assert call.call_id == f"{checkpoint.call_id}/chat#1"
        question = str(checkpoint.inputs["question"].load())
        assert question in str(call.artifacts[0].load()), "each under the checkpoint that made it"
    assert execution.cost_usd == pytest.approx(5 * CALL_USD)

    replayed = asking.replay(handle.exec_id, from_="ask#5", overrides={"checkpoint.ask#5": "Otherwise."})
    replayed.wait()
    assert len(server.requests) == 5, "nobody was asked again"
    second = client.executions.get(replayed.exec_id)
    assert [call for one in second.checkpoints for call in one.llm_calls] == []
    assert second.saved_usd == pytest.approx(4 * CALL_USD)


def test_under_a_spent_budget_no_request_begins(
    client: KitaruClient, agent: Agent, server: ModelServer
) -> None:
    @kitaru.checkpoint
    def ask(question: str) -> str:
        return said(agent, question)

    @kitaru.flow(budget_usd=2.5 * CALL_USD)
    def asking() -> list[str]:
        return [ask(f"Question {number}?") for number in range(9)]

    handle = asking.run()
    with pytest.raises(kitaru.KitaruBudgetExceeded):
        handle.wait()
    assert len(server.requests) == 3
    assert client.executions.get(handle.exec_id).cost_usd == pytest.approx(3 * CALL_USD)
