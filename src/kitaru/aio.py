"""Awaitable twins of ``wait``, ``sleep``, ``llm`` and ``memory``, for flows written with ``async def``."""

from __future__ import annotations

import functools
from collections.abc import Coroutine
from typing import Any, TypeVar, overload

from kitaru.engine.async_flow import AsyncRun
from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.engine.waiting import Pending
from kitaru.errors import KitaruUsageError
from kitaru.waits import Question, Seconds, flow_scope, pending_question, pending_timer, seconds_of

__all__ = ["llm", "memory", "sleep", "wait"]

T = TypeVar("T")


def _open(scope: FlowScope, pending: Pending, what: str) -> Coroutine[Any, Any, Any]:
    run = scope.run
    if not isinstance(run, AsyncRun):
        raise KitaruUsageError(
            f"kitaru.aio.{what} needs an async flow, and {run.code.name!r} is a sync one. Write `kitaru.{what}`."
        )
    return run.open_wait(pending)


@overload
def wait(
    name: str | None = None,
    question: str | None = None,
    *,
    timeout: float | None = None,
    metadata: dict[str, Any] | None = None,
    expires: Seconds | None = None,
) -> Coroutine[Any, Any, bool]: ...
@overload
def wait(
    name: str | None = None,
    question: str | None = None,
    *,
    schema: type[T],
    timeout: float | None = None,
    metadata: dict[str, Any] | None = None,
    expires: Seconds | None = None,
) -> Coroutine[Any, Any, T]: ...
@overload
def wait(
    name: str | None = None,
    question: str | None = None,
    schema: Any = ...,
    timeout: float | None = None,
    metadata: dict[str, Any] | None = None,
    expires: Seconds | None = None,
) -> Coroutine[Any, Any, Any]: ...
def wait(
    name: str | None = None,
    question: str | None = None,
    schema: Any = bool,
    timeout: float | None = None,
    metadata: dict[str, Any] | None = None,
    expires: Seconds | None = None,
) -> Coroutine[Any, Any, Any]:
    """As ``kitaru.wait``, to be awaited; ``asyncio.gather`` over several is answered in any order.

    Raises:
        KitaruUsageError: in a sync flow.

    Example:
        >>> # legal, brand = await asyncio.gather(aio.wait("legal"), aio.wait("brand"))
    """
    scope = flow_scope("aio.wait()")
    return _open(
        scope,
        pending_question(scope, Question(name, question, schema, timeout, metadata, expires)),
        "wait(…)",
    )


def sleep(duration: Seconds) -> Coroutine[Any, Any, None]:
    """As ``kitaru.sleep``, to be awaited: a durable timer, ``duration`` in seconds or as a timedelta."""
    scope = flow_scope("aio.sleep()")
    return _open(scope, pending_timer(scope, seconds_of(duration)), "sleep(…)")


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
) -> Coroutine[Any, Any, str]: ...
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
) -> Coroutine[Any, Any, T]: ...
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
) -> Coroutine[Any, Any, Any]: ...
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
) -> Coroutine[Any, Any, Any]:
    """As ``kitaru.llm``, to be awaited: in the body of an async flow, or in an async checkpoint.

    Example:
        >>> # in an async flow: a, b = await asyncio.gather(aio.llm("One?"), aio.llm("Two?", model="fast"))
    """
    from kitaru.model_calls.llm import prepared, recorded_inputs, spec_of
    from kitaru.model_calls.portal import run_awaiting
    from kitaru.model_calls.requests import answer

    scope, ask = prepared(prompt, model, system, temperature, max_tokens, schema, name, timeout, retries)
    if isinstance(scope, CheckpointScope):
        return run_awaiting(answer(ask, scope))

    async def body(*recorded: object) -> Any:
        return await run_awaiting(answer(ask, current_scope.get()))

    return scope.run.call(spec_of(ask.name, body, is_async=True), recorded_inputs(ask), {}, None)


class _Memory:
    """``kitaru.memory`` with its functions awaited. Each is one short read or commit of the database."""

    def __getattr__(self, name: str) -> Any:
        from kitaru import memory as module

        if name not in ("as_of", "configure", "delete", "get", "history", "list", "search", "set"):
            raise AttributeError(f"kitaru.aio.memory has no {name!r}")
        function = getattr(module, name)

        @functools.wraps(function)
        async def twin(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return twin


memory = _Memory()
