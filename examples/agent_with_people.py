"""An agent of Pydantic AI that asks a person for advice, and whose publishing a person must allow.

Its model is a script here, so that it runs without a key; with `Agent("anthropic:…")` nothing else changes.
"""

import time

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

import kitaru
from kitaru.adapters.pydantic_ai import hitl_tool, wrap


def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """What a model would say: it asks for the tone, then it publishes, then it is done."""
    results = [
        part.content for message in messages for part in message.parts if isinstance(part, ToolReturnPart)
    ]
    if not results:
        return ModelResponse(parts=[ToolCallPart("tone", {"topic": "a letter"})])
    if len(results) == 1:
        return ModelResponse(parts=[ToolCallPart("publish", {"text": f"A {results[0]} letter."})])
    return ModelResponse(parts=[TextPart(f"It is {results[1]}.")])


agent = Agent(FunctionModel(answer), name="writer")


@agent.tool_plain
@hitl_tool(question="In which tone?", schema=str)
def tone(topic: str) -> str:
    """Ask in which tone to write."""
    raise AssertionError  # a person answers


@agent.tool_plain(requires_approval=True)
def publish(text: str) -> str:
    """Publish a text; here it would be sent."""
    return "published"


writer = wrap(agent)


@kitaru.flow
def writing() -> str:
    """The process may end at each question."""
    return writer.run_sync("Write a letter and publish it.").output


if __name__ == "__main__":
    client = kitaru.KitaruClient()
    handle = writing.run()
    handle.until_suspended()
    (asked,) = client.executions.pending_waits(handle.exec_id)
    print(asked.question)
    client.executions.input(handle.exec_id, value="warm")
    while not (pending := client.executions.pending_waits(handle.exec_id)):
        time.sleep(0.1)
    print(pending[0].question)
    client.executions.input(handle.exec_id, value=True)
    print(handle.wait())
    print(
        [
            (one.name, len(one.llm_calls))
            for one in client.executions.get(handle.exec_id).checkpoints
            if one.llm_calls
        ]
    )
