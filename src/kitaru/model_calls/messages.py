"""Messages, usage and errors between Kitaru's words and pydantic-ai's."""

from __future__ import annotations

from typing import Any, cast

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelServerError,
    ModelUnavailableError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)

from kitaru.errors import KitaruModelError, KitaruUsageError
from kitaru.tracking import Usage

_RETRYABLE = (ModelRateLimitError, ModelUnavailableError, ModelServerError, ModelConnectionError)


def request_messages(prompt: str | list[Any], system: str | None) -> list[ModelMessage]:
    """A prompt as pydantic-ai's messages.

    Messages are dicts ``{"role": "user" | "assistant" | "system", "content": text}``, or pydantic-ai's own, as objects
    or in their JSON form. Raises ``KitaruUsageError`` for anything else.
    """
    messages: list[ModelMessage] = []
    if system is not None:
        messages.append(ModelRequest(parts=[SystemPromptPart(content=system)]))
    if isinstance(prompt, str):
        return [*messages, ModelRequest(parts=[UserPromptPart(content=prompt)])]
    return messages + [_message(one) for one in prompt]


def _message(one: Any) -> ModelMessage:
    if isinstance(one, ModelRequest | ModelResponse):
        return one
    form = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
    if "kind" in form:
        return ModelMessagesTypeAdapter.validate_python([form])[0]
    role, content = form.get("role"), form.get("content")
    if isinstance(content, str):
        if role == "user":
            return ModelRequest(parts=[UserPromptPart(content=content)])
        if role == "system":
            return ModelRequest(parts=[SystemPromptPart(content=content)])
        if role == "assistant":
            return ModelResponse(parts=[TextPart(content=content)])
    raise KitaruUsageError(
        'llm() takes a text or a list of messages like {"role": "user", "content": "…"} (roles user, assistant, '
        f"system), not {one!r:.200}."
    )


def corrected(response: ModelResponse, tool: str, problem: str) -> ModelMessage:
    """What to say after an answer that does not match the schema."""
    for call in response.tool_calls:
        if call.tool_name == tool:
            part = ToolReturnPart(
                tool_name=tool, content=problem, tool_call_id=call.tool_call_id, outcome="retried"
            )
            return ModelRequest(parts=[part])
    return ModelRequest(parts=[UserPromptPart(content=f"{problem}\nAnswer by calling the tool {tool!r}.")])


def shown(response: ModelResponse) -> Any:
    """What a model said: its text, else the arguments of what it called."""
    if response.tool_calls:
        return (
            [call.args for call in response.tool_calls]
            if len(response.tool_calls) > 1
            else response.tool_calls[0].args
        )
    return response.text


def usage_of(response: ModelResponse) -> Usage:
    """The tokens of an answer."""
    used = response.usage
    if not used.has_values():
        return Usage()
    reasoning = used.details.get("reasoning_tokens") or used.details.get("thoughts_tokens")
    return Usage(
        used.input_tokens,
        used.output_tokens,
        used.cache_read_tokens or None,
        used.cache_write_tokens or None,
        reasoning,
    )


def model_error(error: Exception, model: str, timeout: float | None) -> Exception:
    """A provider's failure as Kitaru's own error."""
    if isinstance(error, UserError):
        return KitaruUsageError(f"{model} cannot be asked that: {error}")
    if isinstance(error, TimeoutError):
        return KitaruModelError(f"{model} did not answer within {timeout:g} s.", model=model, retryable=True)
    if isinstance(error, ModelAPIError):
        status = error.status_code if isinstance(error, ModelHTTPError) else None
        hint = error.provider_retry_hint if isinstance(error, ModelHTTPError) else None
        # Without a status and without a verdict, it is the answer that was damaged on its way.
        passing = not isinstance(error, ModelHTTPError | ModelRequestRejectedError)
        retryable = hint if hint is not None else passing or error.in_stream or isinstance(error, _RETRYABLE)
        return KitaruModelError(
            f"{model} failed{f' with status {status}' if status else ''}: {_reason(error)}{_advice(status, model)}",
            model=model,
            status_code=status,
            retryable=retryable,
            retry_after=error.retry_after,
        )
    # What else a client library raises: an answer that cannot be read, a connection that was cut.
    broken = (
        isinstance(error, UnexpectedModelBehavior | ValueError | OSError) or "http" in type(error).__module__
    )
    return KitaruModelError(
        f"The answer of {model} could not be read: {type(error).__name__}: {error}",
        model=model,
        retryable=broken,
    )


def _reason(error: ModelAPIError) -> str:
    return str(error.body if error.body is not None else error.message)[:500]


def _advice(status: int | None, model: str) -> str:
    if status not in (401, 403):
        return ""
    provider = model.partition("/")[0]
    return (
        f" Check the key: `kitaru model list` shows which secret the model uses; set it with `kitaru secrets set NAME "
        f"--{provider.upper()}_API_KEY=-`, or {provider.upper()}_API_KEY in the environment."
    )
