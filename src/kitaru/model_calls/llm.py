"""``llm``: one tracked model call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from kitaru import settings
from kitaru.engine.calls import CallSpec
from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.errors import KitaruContextError, KitaruUsageError
from kitaru.model_calls.portal import run_blocking
from kitaru.model_calls.registry import ModelChoice, aliases_of
from kitaru.model_calls.requests import Ask, answer

__all__ = ["llm"]

T = TypeVar("T")

# Stands for the code of the call in its record: to be raised when a change here means other answers.
CODE = "kitaru.llm/1"


@overload
def llm(
    prompt: str | list[Any],
    model: str | None = None,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    schema: None = None,
    name: str | None = None,
    *,
    timeout: float | None = None,
    retries: int = 3,
) -> str: ...
@overload
def llm(
    prompt: str | list[Any],
    model: str | None = None,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    *,
    schema: type[T],
    name: str | None = None,
    timeout: float | None = None,
    retries: int = 3,
) -> T: ...
@overload
def llm(
    prompt: str | list[Any],
    model: str | None = None,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    schema: Any = None,
    name: str | None = None,
    *,
    timeout: float | None = None,
    retries: int = 3,
) -> Any: ...
def llm(
    prompt: str | list[Any],
    model: str | None = None,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    schema: Any = None,
    name: str | None = None,
    *,
    timeout: float | None = None,
    retries: int = 3,
) -> Any:
    """Ask a model. In a flow's body it is a durable call of its own; in a checkpoint it is recorded under that.

    Prompt, response, tokens, latency and cost in US dollars are recorded; each attempt is, also those that failed.

    Args:
        prompt: a text, or a list of messages ``{"role": "user" | "assistant" | "system", "content": text}``.
        model: an alias, or ``provider/model``; default: the setting ``default_model``, else the default alias.
        system: instructions that go before the prompt.
        temperature: how much chance there is in the answer; default: the provider's.
        max_tokens: the most that the answer may have.
        schema: any type that pydantic can validate; the answer comes back as that type.
        name: the call's name in the journal; default ``llm``.
        timeout: seconds that one attempt may take.
        retries: attempts after the first, where the provider's error is one that may pass (rate limit, overload,
            connection); its ``retry-after`` is kept to. Then the alias's fallbacks are asked in turn.

    Raises:
        KitaruModelError: every model of the chain failed; this is the last one's error.
        KitaruModelOutputError: the answer does not match the schema, also when the model was told so.
        KitaruUsageError: for an unknown model, a missing key, or arguments that make no sense.
        KitaruContextError: outside a flow.

    Example:
        >>> # in a flow: summary = kitaru.llm(f"Summarise: {text}", model="fast", max_tokens=200)
        >>> # in a flow: verdict = kitaru.llm(draft, schema=Verdict)
    """
    scope, ask = prepared(prompt, model, system, temperature, max_tokens, schema, name, timeout, retries)
    if isinstance(scope, CheckpointScope):
        return run_blocking(answer(ask, scope))

    def body(*recorded: object) -> Any:
        return run_blocking(answer(ask, current_scope.get()))

    return scope.run.call(spec_of(ask.name, body, is_async=False), recorded_inputs(ask), {}, None)


def prepared(
    prompt: str | list[Any],
    model: str | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    schema: Any,
    name: str | None,
    timeout: float | None,
    retries: int,
) -> tuple[FlowScope | CheckpointScope, Ask]:
    """Where a model is asked, and what; raises as ``llm`` does."""
    scope = current_scope.get()
    if scope is None:
        raise KitaruContextError(
            "llm() was called outside a flow, where nothing records it. Call it in a flow's body or in a checkpoint."
        )
    if not isinstance(prompt, str | list):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
        raise KitaruUsageError(f"llm() takes a text or a list of messages, not {type(prompt).__name__}.")
    if retries < 0 or (timeout is not None and timeout <= 0) or (max_tokens is not None and max_tokens < 1):
        raise KitaruUsageError(
            "llm() takes retries of 0 or more, a timeout above 0 s, and max_tokens of 1 or more."
        )
    mocked = settings.setting("llm_mock_response") is not None
    chain = [ModelChoice(f"mock/{model or 'default'}")] if mocked else aliases_of(scope.run).chain(model)
    ask = Ask(prompt, chain, system, temperature, max_tokens, schema, timeout, retries, name or "llm")
    return scope, ask


def spec_of(name: str, body: Callable[..., Any], *, is_async: bool) -> CallSpec:
    """A model call in a flow's body, as the engine runs it."""
    return CallSpec(name, body, _SIGNATURE, is_async, label="llm_call", fixed_code=CODE)


def recorded_inputs(ask: Ask) -> tuple[Any, ...]:
    """What stands as inputs in the call's record: what makes two calls the same."""
    models = [choice.model for choice in ask.chain]
    schema = None if ask.schema is None else ask.json_schema
    return ask.prompt, models, ask.system, ask.temperature, ask.max_tokens, schema


def _inputs(prompt: Any, models: Any, system: Any, temperature: Any, max_tokens: Any, schema: Any) -> None:
    """Its parameters name those inputs."""


_SIGNATURE = inspect.signature(_inputs)
