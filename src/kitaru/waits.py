"""``wait`` and ``sleep``: suspend a flow with its compute released."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, overload

from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.engine.sync_flow import SyncRun, WaitFuture
from kitaru.engine.waiting import Pending
from kitaru.errors import KitaruContextError, KitaruUsageError
from kitaru.store.records import CallKind, WaitKind, WaitRecord

__all__ = ["sleep", "sleep_until", "wait"]

T = TypeVar("T")

Seconds = float | timedelta


@dataclass(frozen=True, slots=True)
class Question:
    """A wait as the flow asked for it."""

    name: str | None
    question: str | None
    schema: Any
    timeout: float | None
    metadata: dict[str, Any] | None
    expires: Seconds | None


def seconds_of(value: Seconds) -> float:
    """Seconds, from a number or a timedelta; raises ``KitaruUsageError`` when negative."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not seconds >= 0:
        raise KitaruUsageError(f"A duration is 0 or more seconds, not {value!r}.")
    return seconds


def flow_scope(what: str) -> FlowScope:
    """The flow's scope; raises ``KitaruContextError`` elsewhere."""
    scope = current_scope.get()
    if isinstance(scope, FlowScope):
        return scope
    if isinstance(scope, CheckpointScope):
        raise KitaruContextError(
            f"{what} was called inside checkpoint {scope.name!r}. A checkpoint cannot suspend: call it in the flow's "
            "body, and hand what it gives to the checkpoint."
        )
    raise KitaruContextError(f"{what} was called outside a flow. Call it in a function decorated with @flow.")


def _validator(schema: Any) -> tuple[dict[str, Any] | None, Callable[[Any], Any] | None]:
    if schema is None:
        return None, None
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(schema)
        form = adapter.json_schema()
    except PydanticUserError as error:
        raise KitaruUsageError(
            f"wait(schema={schema!r}) is not a type that pydantic can validate: {error}"
        ) from error
    # Answers come from JSON, so they are validated by its rules: "2026-01-01" is a date there.
    from pydantic_core import to_json

    return form, lambda value: adapter.validate_json(to_json(value))


def pending_question(scope: FlowScope, asked: Question) -> Pending:
    """Number a question and make its record."""
    run = scope.run
    call = run.issue(scope.branch, CallKind.WAIT, asked.name or "wait")
    form, validate = _validator(asked.schema)
    now = run.store.now()
    due = None if asked.expires is None else now + seconds_of(asked.expires)
    record = WaitRecord(
        call.call_id,
        WaitKind.INPUT,
        call.name,
        asked.question,
        form,
        asked.metadata,
        created_at=now,
        due_at=due,
    )
    hold = time.monotonic() + seconds_of(asked.timeout or 0)
    return Pending(call, record, hold, validate)


def pending_timer(scope: FlowScope, seconds: float) -> Pending:
    """Number a sleep and make its record."""
    run = scope.run
    call = run.issue(scope.branch, CallKind.SLEEP, "sleep")
    now = run.store.now()
    return Pending(
        call, WaitRecord(call.call_id, WaitKind.TIMER, "sleep", created_at=now, due_at=now + seconds)
    )


def seconds_until(moment: datetime, run_now: float) -> float:
    """Seconds from the database's clock to an aware moment; 0 when it has passed."""
    if moment.tzinfo is None:
        raise KitaruUsageError(
            f"sleep_until({moment!r}) has no time zone, so that it would mean another moment on another machine. "
            "Write datetime(…, tzinfo=UTC) or kitaru.now() + timedelta(…)."
        )
    return max(0.0, (moment.astimezone(UTC) - datetime.fromtimestamp(run_now, UTC)).total_seconds())


def _open(scope: FlowScope, pending: Pending, what: str) -> WaitFuture:
    run = scope.run
    if not isinstance(run, SyncRun):
        raise KitaruUsageError(
            f"{what} would block the event loop of async flow {run.code.name!r}. Write `await kitaru.aio.{what}`."
        )
    return run.open_wait(pending)


class _Wait:
    """``wait`` is callable and has ``.submit``."""

    @overload
    def __call__(
        self,
        name: str | None = None,
        question: str | None = None,
        *,
        timeout: float | None = None,
        metadata: dict[str, Any] | None = None,
        expires: Seconds | None = None,
    ) -> bool: ...
    @overload
    def __call__(
        self,
        name: str | None = None,
        question: str | None = None,
        *,
        schema: type[T],
        timeout: float | None = None,
        metadata: dict[str, Any] | None = None,
        expires: Seconds | None = None,
    ) -> T: ...
    @overload
    def __call__(
        self,
        name: str | None = None,
        question: str | None = None,
        schema: Any = ...,
        timeout: float | None = None,
        metadata: dict[str, Any] | None = None,
        expires: Seconds | None = None,
    ) -> Any: ...
    def __call__(
        self,
        name: str | None = None,
        question: str | None = None,
        schema: Any = bool,
        timeout: float | None = None,
        metadata: dict[str, Any] | None = None,
        expires: Seconds | None = None,
    ) -> Any:
        """Suspend the flow until somebody answers; returns the answer as a value of ``schema``.

        Args:
            name: names the wait for who answers; default ``"wait"``.
            question: what is asked.
            schema: any type that pydantic can validate; ``None``: no value, a plain continue.
            timeout: seconds for which the runner stays alive in case the answer comes at once; never an expiry.
            metadata: shown with the question.
            expires: seconds or timedelta after which ``KitaruWaitExpired`` is raised here.

        Raises:
            KitaruWaitExpired: when it expired.
            KitaruExecutionError: when it was aborted.
            KitaruContextError: outside a flow, or in a checkpoint.

        Example:
            >>> # in a flow: approved = kitaru.wait("approve", question="Publish?", schema=bool)
        """
        return self.submit(name, question, schema, timeout, metadata, expires).result()

    def submit(
        self,
        name: str | None = None,
        question: str | None = None,
        schema: Any = bool,
        timeout: float | None = None,
        metadata: dict[str, Any] | None = None,
        expires: Seconds | None = None,
    ) -> WaitFuture:
        """Ask and go on; ``.result()`` of the future gives the answer. Several may be open, answered in any order."""
        scope = flow_scope("wait()")
        asked = Question(name, question, schema, timeout, metadata, expires)
        return _open(scope, pending_question(scope, asked), "wait(…)")


wait = _Wait()


def sleep(duration: Seconds) -> None:
    """Pause the flow for ``duration`` (seconds or timedelta); survives restarts, and compute is released.

    Raises:
        KitaruContextError: outside a flow, or in a checkpoint.

    Example:
        >>> # in a flow: kitaru.sleep(timedelta(days=1))
    """
    scope = flow_scope("sleep()")
    _open(scope, pending_timer(scope, seconds_of(duration)), "sleep(…)").result()


def sleep_until(moment: datetime) -> None:
    """Pause the flow until ``moment``, which must have a time zone.

    Raises:
        KitaruUsageError: when ``moment`` has no time zone.
        KitaruContextError: outside a flow, or in a checkpoint.
    """
    scope = flow_scope("sleep_until()")
    seconds = seconds_until(moment, scope.run.store.now())
    _open(scope, pending_timer(scope, seconds), "sleep(…)").result()
