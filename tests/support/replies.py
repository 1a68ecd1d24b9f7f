"""What a scripted model answers, whatever API it is asked by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Text:
    """Words of the model."""

    text: str


@dataclass(frozen=True)
class ToolUse:
    """The model asks for a tool to be called."""

    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """One answer: its blocks in order, and the tokens that it is said to have taken.

    ``input_tokens`` are all that were sent, those from the cache among them; ``output_tokens`` all that came back.
    """

    blocks: tuple[Text | ToolUse, ...]
    input_tokens: int = 100
    output_tokens: int = 20
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def asks_for_tools(self) -> bool:
        """Whether the conversation goes on with the results of tools."""
        return any(isinstance(block, ToolUse) for block in self.blocks)


@dataclass(frozen=True)
class Refusal:
    """An error instead of an answer: an HTTP status, and the API's own name for the kind of error."""

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Cut:
    """An answer whose connection ends in the middle."""

    reply: Reply


@dataclass(frozen=True)
class Garbled:
    """An answer that is not JSON."""


Answer = Reply | Refusal | Cut | Garbled


def reply(*blocks: str | Text | ToolUse) -> Reply:
    """A reply from its blocks; a string is a text block."""
    return Reply(tuple(Text(block) if isinstance(block, str) else block for block in blocks))
