"""OpenAI's chat completions API's side of a scripted model, which many other servers speak too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from tests.support.replies import Refusal, Reply, Text, ToolUse

Json = dict[str, Any]


def fault(request: Json) -> Refusal | None:
    """What is wrong with a request, if anything."""
    missing = [name for name in ("model", "messages") if name not in request]
    return Refusal(400, "invalid_request_error", f"you must provide {missing[0]}") if missing else None


def refusal(refused: Refusal) -> Json:
    """The body of an error."""
    return {"error": {"message": refused.message, "type": refused.kind, "param": None, "code": None}}


def whole(request: Json, answer: Reply) -> Json:
    """The answer as one completion."""
    message: Json = {"role": "assistant", "content": _text(answer)}
    calls = [_call(index, block) for index, block in enumerate(_tools(answer))]
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer), "logprobs": None}
    return {**_opening(request, "chat.completion"), "choices": [choice], "usage": _usage(answer)}


def events(request: Json, answer: Reply) -> Iterator[tuple[str | None, Json | str]]:
    """The answer as a stream."""
    opening = _opening(request, "chat.completion.chunk")

    def chunk(delta: Json, finish: str | None = None) -> tuple[None, Json]:
        return None, {**opening, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in re.findall(r"\S*\s*", _text(answer) or ""):
        if piece:
            yield chunk({"content": piece})
    for index, block in enumerate(_tools(answer)):
        yield chunk({"tool_calls": [{"index": index, **_call(index, block)}]})
    yield chunk({}, _finish(answer))
    if (request.get("stream_options") or {}).get("include_usage"):
        yield None, {**opening, "choices": [], "usage": _usage(answer)}
    yield None, "[DONE]"


def _opening(request: Json, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{uuid4().hex}",
        "object": kind,
        "created": 1_800_000_000,
        "model": request["model"],
    }


def _usage(answer: Reply) -> Json:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }


def _finish(answer: Reply) -> str:
    return "tool_calls" if answer.asks_for_tools else "stop"


def _text(answer: Reply) -> str | None:
    return "".join(block.text for block in answer.blocks if isinstance(block, Text)) or None


def _tools(answer: Reply) -> list[ToolUse]:
    return [block for block in answer.blocks if isinstance(block, ToolUse)]


def _call(index: int, block: ToolUse) -> Json:
    function = {"name": block.name, "arguments": json.dumps(dict(block.input))}
    return {"id": f"call_{uuid4().hex[:20]}{index}", "type": "function", "function": function}
