"""What an agent needs of people is a wait between two turns: answered, allowed or denied."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, RunContext, ToolOutput
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred
from pydantic_ai.models.test import TestModel
from pydantic_ai.tools import DeferredToolRequests

import kitaru
from kitaru.adapters.pydantic_ai import hitl_tool, wrap
from kitaru.testing import run
from tests.adapters.conftest import MakeAgent
from tests.support.model_server import ModelServer
from tests.support.replies import ToolUse, reply


class Colour(BaseModel):
    name: str
    dark: bool = False


@pytest.fixture
def agent(make_agent: MakeAgent) -> Agent[None, str]:
    """With a tool for each way in which people come into it."""
    agent = make_agent(name="painter")

    @agent.tool_plain
    @hitl_tool(question="Which colour do you like?", name="pick", schema=Colour)
    def colour(reason: str) -> str:
        """Ask which colour is liked."""
        raise AssertionError("never runs")

    @agent.tool
    @hitl_tool()
    async def size(ctx: RunContext[None]) -> int:
        """Ask how large it shall be."""
        raise AssertionError("never runs")

    @agent.tool_plain(requires_approval=True)
    def erase(path: str) -> str:
        return f"erased {path}"

    @agent.tool
    def paint(ctx: RunContext[None], wall: str) -> str:
        if wall == "north" and not ctx.tool_call_approved:
            raise ApprovalRequired({"why": "it is listed"})
        return f"painted {wall}"

    @agent.tool_plain
    def order(litres: int) -> str:
        raise CallDeferred

    return agent


def results_sent(server: ModelServer) -> dict[str, str]:
    """What the tools gave, by their names, in the server's last request."""
    messages = server.requests[-1]["body"]["messages"]
    calls = {
        block["id"]: block["name"]
        for message in messages
        for block in message["content"]
        if block["type"] == "tool_use"
    }
    return {
        calls[block["tool_use_id"]]: block["content"][0]["text"]
        for message in messages
        for block in message["content"]
        if block["type"] == "tool_result"
    }


def painting(agent: Agent[None, Any], **options: Any) -> kitaru.Flow[[], dict[str, Any]]:
    durable = wrap(agent)

    @kitaru.flow
    def paint() -> dict[str, Any]:
        result = durable.run_sync("Paint.", **options)
        return {
            "output": result.output,
            "new": len(result.new_messages()),
            "requests": result.usage.requests,
            "tokens": result.usage.input_tokens,
        }

    return paint


def test_a_marked_tool_is_answered_by_a_person(agent: Agent[None, str], server: ModelServer) -> None:
    asked: list[Any] = []

    def pick(wait: Any) -> dict[str, Any]:
        asked.append(wait)
        return {"name": "red"}

    server.answer_with(
        reply(ToolUse("colour", {"reason": "taste"}), ToolUse("paint", {"wall": "south"})),
        reply(ToolUse("size", {})),
        reply("Done."),
    )
    handle = run(painting(agent), answers={"pick": pick, "size": 3})
    assert handle.get() == {"output": "Done.", "new": 6, "requests": 3, "tokens": 300}
    assert len(server.requests) == 3, "each turn asks for itself alone"
    assert asked[0].question == "Which colour do you like?"
    assert asked[0].metadata["arguments"] == {"reason": "taste"}
    assert results_sent(server) == {
        "colour": '{"name":"red","dark":false}',
        "paint": "painted south",
        "size": "3",
    }


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (True, "erased /tmp"),
        (False, "The tool call was denied."),
        ({"approved": True}, "erased /tmp"),
        ({"approved": False, "message": "Never."}, "Never."),
    ],
)
def test_a_tool_that_needs_approval_is_allowed_or_denied(
    agent: Agent[None, str], server: ModelServer, answer: Any, told: str
) -> None:
    questions: list[str] = []

    def decide(wait: Any) -> Any:
        questions.append(wait.question)
        return answer

    server.answer_with(reply(ToolUse("erase", {"path": "/tmp"})), reply("Done."))
    assert run(painting(agent), answers={"erase": decide}).get()["output"] == "Done."
    assert questions == ["May the agent call erase(path='/tmp')?"]
    assert results_sent(server) == {"erase": told}


def test_several_are_asked_at_once(agent: Agent[None, str], server: ModelServer) -> None:
    metadata: list[Any] = []

    def allow(wait: Any) -> bool:
        metadata.append(wait.metadata["metadata"])
        return True

    server.answer_with(
        reply(
            ToolUse("paint", {"wall": "north"}),
            ToolUse("order", {"litres": 2}),
            ToolUse("erase", {"path": "/tmp"}),
        ),
        reply("Done."),
    )
    answers = {"paint": allow, "order": {"kind": "tool-failed", "ordered": 2}, "erase": False}
    assert run(painting(agent), answers=answers).get()["requests"] == 2
    assert metadata == [{"why": "it is listed"}]
    assert results_sent(server) == {
        "paint": "painted north",
        "order": '{"kind":"tool-failed","ordered":2}',
        "erase": "The tool call was denied.",
    }


def test_an_async_flow_waits_too(server: ModelServer) -> None:
    @kitaru.flow
    async def paint() -> str:
        async with Agent("anthropic:claude-haiku-4-5", name="painter") as agent:

            @agent.tool_plain(requires_approval=True)
            async def erase(path: str) -> str:
                return f"erased {path}"

            return (await wrap(agent).run("Paint.")).output

    server.answer_with(reply(ToolUse("erase", {"path": "/tmp"})), reply("Done."))
    assert run(paint, answers={"erase": True}).get() == "Done."
    assert results_sent(server) == {"erase": "erased /tmp"}


def test_typed_outputs_and_validators(make_agent: MakeAgent, server: ModelServer) -> None:
    plain = make_agent(output_type=[Colour, ToolOutput(int, name="number")])
    checked = make_agent(output_type=[Colour, DeferredToolRequests])
    unchecked = make_agent(output_type=Colour)
    for agent in (plain, checked, unchecked):
        agent.tool_plain(hitl_tool(schema=str)(ask_for_a_name))

    @checked.output_validator
    @unchecked.output_validator
    def lower(value: Any) -> Any:
        return value.model_copy(update={"name": value.name.lower()}) if isinstance(value, Colour) else value

    for agent, tool, expected in ((plain, "final_result_Colour", "Red"), (checked, "final_result", "red")):
        server.answer_with(reply(ToolUse("ask_for_a_name", {})), reply(ToolUse(tool, {"name": "Red"})))
        result = run(painting(agent), answers={"ask_for_a_name": "Red"}).get()
        assert result["output"] == Colour(name=expected)
    server.answer_with(reply(ToolUse("ask_for_a_name", {})))
    with pytest.raises(kitaru.KitaruUserCodeError, match="DeferredToolRequests"):
        run(painting(unchecked)).get()


def ask_for_a_name() -> str:
    """Ask for a name."""
    raise AssertionError("never runs")


def test_what_is_marked() -> None:
    with pytest.raises(kitaru.KitaruUsageError, match="plain function"):
        hitl_tool()(Agent(TestModel()))  # type: ignore[type-var]
