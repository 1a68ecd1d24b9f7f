"""The Anthropic Messages API's side of a scripted model: answers as one JSON object, or as server-sent events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from tests.support.replies import Refusal, Reply, Text, ToolUse

Json = dict[str, Any]

REQUIRED = ("model", "max_tokens", "messages")


def fault(request: Json) -> Refusal | None:
    """What is wrong with a request, if anything."""
    missing = [name for name in REQUIRED if name not in request]
    if missing:
        return Refusal(400, "invalid_request_error", f"{missing[0]}: Field required")
    return None


def refusal(refused: Refusal) -> Json:
    """The body of an error."""
    return {"type": "error", "error": {"type": refused.kind, "message": refused.message}}


def whole(request: Json, answer: Reply) -> Json:
    """The answer as one message."""
    return {
        **_opening(request, answer),
        "content": [_block(block) for block in answer.blocks],
        "stop_reason": _stop_reason(answer),
        "usage": _usage(answer, answer.output_tokens),
    }


def events(request: Json, answer: Reply) -> Iterator[tuple[str, Json]]:
    """The answer as a stream: the names and data of its server-sent events."""
    yield _event("message_start", message=_opening(request, answer))
    for index, block in enumerate(answer.blocks):
        yield _event("content_block_start", index=index, content_block=_empty(_block(block)))
        for delta in _deltas(block):
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    yield _event(
        "message_delta",
        delta={"stop_reason": _stop_reason(answer), "stop_sequence": None},
        usage={"output_tokens": answer.output_tokens},
    )
    yield _event("message_stop")


def _event(name: str, **data: Any) -> tuple[str, Json]:
    return name, {"type": name, **data}


def _opening(request: Json, answer: Reply) -> Json:
    return {
        "id": f"msg_{uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(answer, 1),
    }


def _usage(answer: Reply, output_tokens: int) -> Json:
    return {
        # Anthropic counts what came from the cache beside the rest.
        "input_tokens": answer.input_tokens - answer.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": answer.cached_tokens,
        "output_tokens": output_tokens,
    }


def _stop_reason(answer: Reply) -> str:
    return "tool_use" if answer.asks_for_tools else "end_turn"


def _block(block: Text | ToolUse) -> Json:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    return {
        "type": "tool_use",
        "id": f"toolu_{uuid4().hex[:24]}",
        "name": block.name,
        "input": dict(block.input),
    }


def _empty(block: Json) -> Json:
    """A block as a stream opens it: its content comes by deltas."""
    return block | ({"text": ""} if block["type"] == "text" else {"input": {}})


def _deltas(block: Text | ToolUse) -> Iterator[Json]:
    # In several pieces, so that a client which keeps only one of them is found out.
    if isinstance(block, Text):
        for piece in re.findall(r"\S*\s*", block.text):
            if piece:
                yield {"type": "text_delta", "text": piece}
        return
    text = json.dumps(dict(block.input))
    middle = len(text) // 2
    for piece in (text[:middle], text[middle:]):
        yield {"type": "input_json_delta", "partial_json": piece}
