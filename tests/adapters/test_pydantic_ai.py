"""Agents of Pydantic AI in flows, in checkpoints and outside: what is durable, and what is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel

import kitaru
from kitaru import KitaruClient
from kitaru.adapters.pydantic_ai import KitaruAgent, ToolCaptureConfig, wrap
from kitaru.otel import KitaruSpanProcessor
from tests.adapters.conftest import MakeAgent
from tests.support.model_server import ModelServer
from tests.support.replies import Refusal, Reply, Text, ToolUse, reply

CALL_USD = 0.0002
OSLO = reply(ToolUse("weather", {"city": "Oslo"}))


class Forecast(BaseModel):
    city: str
    sunny: bool


@pytest.fixture
def agent(make_agent: MakeAgent) -> Agent[None, str]:
    agent = make_agent(name="forecaster")

    @agent.tool_plain
    def weather(city: str) -> str:
        if city == "Atlantis":
            raise LookupError("no such city")
        return f"sunny in {city}"

    return agent


def test_a_run_is_a_checkpoint_and_its_calls_are_its_children(
    client: KitaruClient, agent: Agent[None, str], server: ModelServer
) -> None:
    durable = wrap(agent)

    @kitaru.flow
    def forecasting(city: str) -> dict[str, Any]:
        first = durable.run_sync(f"The weather in {city}?", output_type=Forecast)
        second = durable.run_sync("And tomorrow?", message_history=first.all_messages())
        return {
            "outputs": [first.output, second.output],
            "all": [len(first.all_messages()), len(second.all_messages())],
            "new": [len(first.new_messages()), len(second.new_messages())],
            "requests": [first.usage.requests, second.usage.requests],
            "tokens": first.usage.input_tokens,
        }

    final = Reply((ToolUse("final_result", {"city": "Oslo", "sunny": True}),), 200, 30, cached_tokens=50)
    server.answer_with(OSLO, final, reply("The same."))
    handle = forecasting.run("Oslo")
    result = handle.wait()
    assert result == {
        "outputs": [Forecast(city="Oslo", sunny=True), "The same."],
        "all": [5, 7],
        "new": [5, 2],
        "requests": [2, 1],
        "tokens": 300,
    }
    execution = client.executions.get(handle.exec_id)
    first, second = execution.checkpoints
    assert (first.call_id, first.type, second.call_id) == ("forecaster#1", "agent_run", "forecaster#2")
    assert [call.input_tokens for call in first.llm_calls] == [100, 200]
    cost = CALL_USD + (150 * 1 + 50 * 0.1 + 30 * 5) / 1e6
    assert first.cost_usd == pytest.approx(cost)
    assert execution.cost_usd == pytest.approx(cost + CALL_USD)
    assert [(one.provider, one.model) for one in first.llm_calls] == [("anthropic", "claude-haiku-4-5")] * 2
    assert "The weather in Oslo?" in str(first.llm_calls[0].artifacts[0].load())
    (tool,) = first.tool_calls
    assert (tool.name, tool.status) == ("weather", "completed")
    assert [(one.kind, one.load()) for one in tool.artifacts] == [
        ("input", {"city": "Oslo"}),
        ("output", "sunny in Oslo"),
    ]
    replayed = forecasting.replay(
        handle.exec_id, from_="forecaster#2", overrides={"checkpoint.forecaster#2": "Rain."}
    )
    again = replayed.wait()
    assert again["outputs"] == [Forecast(city="Oslo", sunny=True), "Rain."]
    assert (again["all"][0], again["tokens"]) == (5, 300), "the first run is as it was"
    assert len(server.requests) == 3, "nobody was asked again"
    second_execution = client.executions.get(replayed.exec_id)
    assert (second_execution.cost_usd, second_execution.saved_usd) == (0, pytest.approx(cost))


def test_runs_side_by_side_in_an_async_flow(client: KitaruClient, server: ModelServer) -> None:
    @kitaru.flow
    async def asking() -> list[str]:
        async with Agent("anthropic:claude-haiku-4-5") as agent:
            durable = KitaruAgent(agent)
            runs = [durable.run(f"Question {number}?") for number in range(3)]
            return [result.output for result in await asyncio.gather(*runs)]

    handle = asking.run()
    assert handle.wait() == ["Done."] * 3
    execution = client.executions.get(handle.exec_id)
    assert sorted(one.call_id for one in execution.checkpoints) == [
        f"run~{number}/agent#1" for number in (1, 2, 3)
    ]
    assert execution.cost_usd == pytest.approx(3 * CALL_USD)


def test_in_a_checkpoint_of_ones_own_calls_are_recorded_under_that(
    client: KitaruClient, server: ModelServer
) -> None:
    heard: list[str] = []

    async def listen(_: Any, events: AsyncIterable[Any]) -> None:
        heard.extend([type(event).__name__ async for event in events])

    @kitaru.checkpoint
    async def ask() -> str:
        async with Agent("anthropic:claude-haiku-4-5") as agent:
            durable = wrap(agent)
            whole = (await durable.run("One?")).output
            async with durable.run_stream("Two?") as stream:
                streamed = await stream.get_output()
            handled = (await durable.run("Three?", event_stream_handler=listen)).output
            return whole + streamed + handled

    @kitaru.flow
    async def asking() -> str:
        return await ask()

    handle = asking.run()
    assert handle.wait() == "Done." * 3
    (checkpoint,) = client.executions.get(handle.exec_id).checkpoints
    assert (checkpoint.call_id, [call.cost_usd for call in checkpoint.llm_calls]) == (
        "ask#1",
        [pytest.approx(CALL_USD)] * 3,
    )
    assert heard


def test_outside_of_a_flow_it_is_the_plain_agent() -> None:
    durable = wrap(Agent(TestModel(custom_output_text="plain")))
    assert asyncio.run(durable.run("Hello?")).output == "plain"


def test_what_cannot_be_durable_says_what_to_write_instead(client: KitaruClient) -> None:
    durable = wrap(Agent(TestModel(), name="talker"))

    @kitaru.flow
    async def streaming() -> str:
        async with durable.run_stream("Hello?") as stream:
            return await stream.get_output()

    @kitaru.flow
    async def blocking() -> str:
        return durable.run_sync("Hello?").output

    @kitaru.flow
    def awaiting() -> str:
        return asyncio.run(durable.run("Hello?")).output

    with pytest.raises(kitaru.KitaruUserCodeError, match="make the flow `async def`"):
        awaiting.run().wait()
    with pytest.raises(kitaru.KitaruUserCodeError, match="inside a checkpoint, not in the flow's body"):
        streaming.run().wait()
    with pytest.raises(kitaru.KitaruUserCodeError, match=r"await agent\.run"):
        blocking.run().wait()
    with pytest.raises(kitaru.KitaruUsageError, match="metadata_only"):
        wrap(Agent(TestModel()), tool_capture_config={"mode": "loud"})
    with pytest.raises(kitaru.KitaruUsageError, match="by_name"):
        wrap(Agent(TestModel()), tool_capture_config_by_name={"weather": "off"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("weather", 2)]),
        ({"tool_capture_config": {"mode": "metadata_only"}}, [("weather", 0)]),
        ({"tool_capture_config": ToolCaptureConfig(mode="off")}, []),
        (
            {
                "tool_capture_config": {"mode": "off"},
                "tool_capture_config_by_name": {"weather": {"mode": "full"}},
            },
            [("weather", 2)],
        ),
        ({"tool_capture_config_by_name": {"weather": {"mode": "off"}}}, []),
    ],
)
def test_how_much_of_tools_is_recorded(
    client: KitaruClient,
    agent: Agent[None, str],
    server: ModelServer,
    options: dict[str, Any],
    expected: list[tuple[str, int]],
) -> None:
    durable = wrap(agent, **options)

    @kitaru.flow
    def asking() -> str:
        return durable.run_sync("The weather?").output

    server.answer_with(OSLO, reply("Sunny."))
    handle = asking.run()
    assert handle.wait() == "Sunny."
    (checkpoint,) = client.executions.get(handle.exec_id).checkpoints
    assert [(tool.name, len(tool.artifacts)) for tool in checkpoint.tool_calls] == expected


def test_failures_are_on_record_and_come_back_as_themselves(
    client: KitaruClient, agent: Agent[None, str], server: ModelServer
) -> None:
    durable = wrap(agent)

    @kitaru.flow
    def asking() -> list[str]:
        failed: list[str] = []
        for _ in range(2):
            try:
                durable.run_sync("The weather in Atlantis?")
            except (LookupError, kitaru.KitaruModelError) as error:
                failed.append(f"{type(error).__name__} {getattr(error, 'status_code', '')}")
        return failed

    server.answer_with(
        reply(ToolUse("weather", {"city": "Atlantis"})), Refusal(400, "invalid_request_error", "no")
    )
    handle = asking.run()
    assert handle.wait() == ["LookupError ", "KitaruModelError 400"]
    first, second = client.executions.get(handle.exec_id).checkpoints
    (tool,), (refused,) = first.tool_calls, second.llm_calls
    assert tool.failure is not None
    assert (tool.status, tool.failure.message) == ("failed", "no such city")
    assert (refused.status, refused.cost_usd, refused.model) == ("failed", None, "claude-haiku-4-5")


def test_nothing_is_counted_twice(client: KitaruClient, server: ModelServer, make_agent: MakeAgent) -> None:
    provider = TracerProvider()
    provider.add_span_processor(KitaruSpanProcessor())
    sub = make_agent(name="sub")
    agent = make_agent(name="main")

    @agent.tool_plain
    async def delegate(task: str) -> str:
        """One request of an instrumented library, one of Kitaru's own, and one of a wrapped agent."""
        plain = (await sub.run(task)).output
        own = await kitaru.aio.llm(task, model="anthropic/claude-haiku-4-5")
        return plain + own + (await wrap(sub).run(task)).output

    durable = wrap(agent)

    @kitaru.flow
    def working() -> str:
        return durable.run_sync("Work.").output

    server.answer_with(reply(ToolUse("delegate", {"task": "x"})), reply("Done."))
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    try:
        handle = working.run()
        assert handle.wait() == "Done."
    finally:
        Agent.instrument_all(False)
    assert len(server.requests) == 5
    execution = client.executions.get(handle.exec_id)
    (checkpoint,) = execution.checkpoints
    assert sorted(call.name for call in checkpoint.llm_calls) == ["chat", "llm", "llm", "llm", "llm"]
    assert [tool.name for tool in checkpoint.tool_calls] == ["delegate"]
    assert execution.cost_usd == pytest.approx(5 * CALL_USD)


def test_a_spent_budget_starts_no_request(
    client: KitaruClient, server: ModelServer, make_agent: MakeAgent
) -> None:
    durable = wrap(make_agent())

    @kitaru.flow(budget_usd=2.5 * CALL_USD)
    def asking() -> list[str]:
        return [durable.run_sync(f"Question {number}?").output for number in range(9)]

    handle = asking.run()
    with pytest.raises(kitaru.KitaruBudgetExceeded):
        handle.wait()
    assert len(server.requests) == 3


def test_a_tool_that_would_wait_for_its_own_loop_is_told_so(
    client: KitaruClient, server: ModelServer, make_agent: MakeAgent
) -> None:
    agent = make_agent()

    @agent.tool_plain
    async def ask() -> str:
        return kitaru.llm("Hello?", model="anthropic/claude-haiku-4-5")

    durable = wrap(agent)

    @kitaru.flow
    def asking() -> str:
        return durable.run_sync("Ask.").output

    server.answer_with(reply(ToolUse("ask", {})))
    with pytest.raises(kitaru.KitaruUserCodeError, match=r"await kitaru\.aio\.llm"):
        asking.run().wait()


def test_an_answer_that_stays_wrong_is_paid_and_on_record(
    client: KitaruClient, server: ModelServer, make_agent: MakeAgent
) -> None:
    durable = wrap(make_agent(output_type=Forecast))

    @kitaru.flow
    def asking() -> Forecast:
        return durable.run_sync("The weather?").output

    server.answer_with(Reply((Text("Perhaps."),)))
    handle = asking.run()
    with pytest.raises(kitaru.KitaruUserCodeError) as failed:
        handle.wait()
    assert isinstance(failed.value.__cause__, UnexpectedModelBehavior)
    execution = client.executions.get(handle.exec_id)
    assert len(execution.checkpoints[0].llm_calls) == len(server.requests)
    assert execution.cost_usd == pytest.approx(len(server.requests) * CALL_USD)
