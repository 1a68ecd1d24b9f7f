"""What the adapters share: turns of an agent as checkpoints, with waits between them for what people must say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from kitaru import aio, tracking
from kitaru.runtime import current_execution_id
from kitaru.waits import wait

__all__ = [
    "Approval",
    "Question",
    "Turns",
    "approval_of",
    "approval_question",
    "in_flow_body",
    "take_turns",
    "take_turns_async",
]


class Approval(BaseModel):
    """The answer of a person who was asked whether a tool may run; ``true`` and ``false`` stand for it too.

    Attributes:
        approved: whether it may.
        message: what the agent is told where it may not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    approved: bool
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked between two turns: the arguments of ``kitaru.wait``."""

    name: str
    question: str
    schema: Any
    metadata: dict[str, Any]


class Turns(Protocol):
    """A conversation with an agent, as far as it has come."""

    def arguments(self) -> tuple[Any, ...]:
        """What the next turn is given: all that it depends on, as values that can be recorded."""
        ...

    def take(self, outcome: Any) -> Sequence[Question]:
        """A turn has ended with this; what must be asked before the next one. Nothing: it was the last."""
        ...

    def answer(self, answers: Sequence[Any]) -> None:
        """What was answered, in the order of the questions."""
        ...


def in_flow_body() -> bool:
    """Whether the code runs in a flow's body: there a turn is a checkpoint. Inside one it is a part of that."""
    return current_execution_id() is not None and tracking.current_checkpoint() is None


def approval_of(answer: bool | Approval) -> Approval:
    """Either form of the answer as one."""
    return answer if isinstance(answer, Approval) else Approval(approved=answer)


def approval_question(
    tool: str, arguments: Mapping[str, Any], call_id: str, metadata: Mapping[str, Any] | None = None
) -> Question:
    """Whether an agent may call a tool, under the tool's name; ``metadata`` is the tool's own."""
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    known = {"tool": tool, "arguments": dict(arguments), "tool_call_id": call_id}
    told = {**known, "metadata": dict(metadata)} if metadata else known
    return Question(tool, f"May the agent call {tool}({shown})?", bool | Approval, told)


def take_turns(step: Callable[..., Any], turns: Turns) -> None:
    """Run a conversation in a sync flow's body to its end; ``step`` is a checkpoint.

    Each turn is on record before people are asked, and their answers before the next turn: a flow that is resumed in
    between asks no model and nobody again.
    """
    while questions := turns.take(step(*turns.arguments())):
        asked = [wait.submit(one.name, one.question, one.schema, metadata=one.metadata) for one in questions]
        turns.answer([one.result() for one in asked])


async def take_turns_async(step: Callable[..., Coroutine[Any, Any, Any]], turns: Turns) -> None:
    """As ``take_turns``, in an async flow's body."""
    while questions := turns.take(await step(*turns.arguments())):
        asked = [aio.wait(one.name, one.question, one.schema, metadata=one.metadata) for one in questions]
        turns.answer(await asyncio.gather(*asked))
