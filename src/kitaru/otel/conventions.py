"""What a span says of a model or tool call, by OpenTelemetry's semantic conventions for generative AI.

The names are written out here, as the conventions ask of those who read them: none is stable, and each release of their
Python package may move them. Older names stand after the present ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from kitaru.errors import KitaruModelError, KitaruRuntimeError
from kitaru.tracking import Usage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = [
    "content",
    "failure",
    "family",
    "finish_reasons",
    "model_of",
    "operation",
    "provider_of",
    "tool_name",
    "usage_of",
]

Family = Literal["inference", "embeddings", "tool"]
Attributes = Mapping[str, Any]

_FAMILIES: dict[str, Family] = {
    "chat": "inference",
    "generate_content": "inference",
    "text_completion": "inference",
    "embeddings": "embeddings",
    "execute_tool": "tool",
}

_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_CACHE_READ = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
_CACHE_WRITE = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
)
_REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "gen_ai.usage.details.thoughts_tokens",
)
_CONTENT = {
    "system": ("gen_ai.system_instructions",),
    "prompt": ("gen_ai.input.messages", "gen_ai.prompt"),
    "response": ("gen_ai.output.messages", "gen_ai.completion"),
    "arguments": ("gen_ai.tool.call.arguments",),
    "result": ("gen_ai.tool.call.result",),
}

# What the conventions call providers that have another name here.
_PROVIDERS = {
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gemini": "google",
    "gcp.vertex_ai": "vertex",
    "vertex_ai": "vertex",
    "aws.bedrock": "bedrock",
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "xai": "x-ai",
}


def operation(attributes: Attributes) -> str | None:
    """What the span is of, for example ``chat``; None for spans of other things."""
    return _text(attributes, "gen_ai.operation.name")


def family(attributes: Attributes) -> Family | None:
    """Which kind of call is recorded for the span; None for none: agents, workflows, and all other spans."""
    return _FAMILIES.get(operation(attributes) or "")


def tool_name(attributes: Attributes) -> str | None:
    """The tool that is called."""
    return _text(attributes, "gen_ai.tool.name")


def provider_of(attributes: Attributes) -> str | None:
    """The provider, by the name that it has in model names here: ``anthropic``, ``google``."""
    said = _text(attributes, "gen_ai.provider.name", "gen_ai.system")
    return None if said is None else _PROVIDERS.get(said, said)


def model_of(attributes: Attributes) -> tuple[str | None, str | None]:
    """The model that answered, and the one that was asked for."""
    asked = _text(attributes, "gen_ai.request.model")
    return _text(attributes, "gen_ai.response.model") or asked, asked


def usage_of(attributes: Attributes) -> Usage:
    """The tokens; None where the span does not say."""
    sent, read, written = (_count(attributes, names) for names in (_INPUT, _CACHE_READ, _CACHE_WRITE))
    cached = (read or 0) + (written or 0)
    if sent is not None and cached > sent:
        # Cached tokens are a part of the input by the conventions; here they cannot be: they were left out.
        sent += cached
    return Usage(sent, _count(attributes, _OUTPUT), read, written, _count(attributes, _REASONING))


def finish_reasons(attributes: Attributes) -> list[str]:
    """Why the answer ended, for each choice."""
    said = attributes.get("gen_ai.response.finish_reasons")
    return [str(one) for one in cast("Sequence[Any]", said)] if isinstance(said, list | tuple) else []


def content(span: ReadableSpan, part: str) -> Any:
    """The ``system``, ``prompt``, ``response``, ``arguments`` or ``result`` of a call, where it was captured."""
    for attributes in _places(span):
        for name in _CONTENT[part]:
            if name in attributes:
                return _parsed(attributes[name])
    return None


def failure(span: ReadableSpan) -> Exception | None:
    """The error that a span ended with; None when it did not fail."""
    from opentelemetry.trace import StatusCode

    attributes = span.attributes or {}
    if span.status.status_code is not StatusCode.ERROR:
        return None
    raised: Attributes = {}
    for event in span.events:
        if event.name == "exception":
            raised = event.attributes or {}
    kind = _text(raised, "exception.type") or _text(attributes, "error.type")
    said = _text(raised, "exception.message") or span.status.description
    message = ": ".join(part for part in (kind, said) if part) or f"{span.name} failed"
    if family(attributes) == "tool":
        return KitaruRuntimeError(message)
    model, provider = model_of(attributes)[0], provider_of(attributes)
    status = attributes.get("http.response.status_code")
    return KitaruModelError(
        message,
        model="/".join(part for part in (provider, model) if part) or None,
        status_code=status if isinstance(status, int) else None,
    )


def _places(span: ReadableSpan) -> Iterator[Attributes]:
    yield span.attributes or {}
    for event in span.events:
        yield event.attributes or {}


def _text(attributes: Attributes, *names: str) -> str | None:
    for name in names:
        if attributes.get(name):
            return str(attributes[name])
    return None


def _count(attributes: Attributes, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return int(value)
    return None


def _parsed(value: Any) -> Any:
    """Spans carry what is structured as JSON text."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[", '"')):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
