"""What a scripted model answers, whatever API it is asked by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """One answer: its blocks in order, and the tokens that it is said to have taken."""

    blocks: tuple[Text | ToolUse, ...]
    input_tokens: int = 100
    output_tokens: int = 20

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


def reply(*blocks: str | Text | ToolUse) -> Reply:
    """A reply from its blocks; a string is a text block."""
    return Reply(tuple(Text(block) if isinstance(block, str) else block for block in blocks))
