"""The Gemini API's side of a scripted model: ``generateContent``, and ``streamGenerateContent`` as events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from tests.support.replies import Refusal, Reply, Text

Json = dict[str, Any]

_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}


def fault(request: Json) -> Refusal | None:
    """What is wrong with a request, if anything."""
    return None if "contents" in request else Refusal(400, "INVALID_ARGUMENT", "contents is not specified")


def refusal(refused: Refusal) -> Json:
    """The body of an error."""
    status = _STATUS.get(refused.status, "UNKNOWN")
    return {"error": {"code": refused.status, "message": refused.message, "status": status}}


def whole(request: Json, answer: Reply) -> Json:
    """The answer as one response."""
    parts = [
        {"text": block.text}
        if isinstance(block, Text)
        else {"functionCall": {"name": block.name, "args": dict(block.input)}}
        for block in answer.blocks
    ]
    return _response(request, parts, answer, "STOP")


def events(request: Json, answer: Reply) -> Iterator[tuple[None, Json]]:
    """The answer as a stream: of text, a response for each word."""
    for block in answer.blocks:
        if isinstance(block, Text):
            for piece in re.findall(r"\S*\s*", block.text):
                if piece:
                    yield None, _response(request, [{"text": piece}], None, None)
        else:
            call = {"functionCall": {"name": block.name, "args": dict(block.input)}}
            yield None, _response(request, [call], None, None)
    yield None, _response(request, [{"text": ""}], answer, "STOP")


def _response(request: Json, parts: list[Json], answer: Reply | None, finish: str | None) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    form: Json = {
        "candidates": [candidate],
        "modelVersion": request["model"],
        "responseId": uuid4().hex,
    }
    if answer is not None:
        # Google counts the thoughts beside the answer.
        shown = answer.output_tokens - answer.reasoning_tokens
        form["usageMetadata"] = {
            "promptTokenCount": answer.input_tokens,
            "candidatesTokenCount": shown,
            "thoughtsTokenCount": answer.reasoning_tokens,
            "cachedContentTokenCount": answer.cached_tokens,
            "totalTokenCount": answer.input_tokens + answer.output_tokens,
        }
    return form
