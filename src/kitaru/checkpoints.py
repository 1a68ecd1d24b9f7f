"""``@checkpoint``: a unit of work whose output is persisted before the next line runs."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from kitaru.engine.backoff import Backoff
from kitaru.engine.calls import CallSpec, EffectPolicy
from kitaru.engine.jobs import CallFuture
from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.errors import KitaruContextError, KitaruFeatureNotAvailableError, KitaruUsageError

__all__ = ["Checkpoint", "checkpoint"]

P = ParamSpec("P")
R = TypeVar("R")

OPTIONS = {"id", "after"}


class Checkpoint(Generic[P, R]):
    """A function made durable by ``@checkpoint``."""

    def __init__(self, function: Callable[P, R], spec: CallSpec) -> None:
        functools.update_wrapper(self, function)
        self.__kitaru_function__ = function
        self._spec = spec

    @property
    def name(self) -> str:
        """The checkpoint's name in the journal."""
        return self._spec.name

    def __repr__(self) -> str:
        return f"<checkpoint {self._spec.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run durably: answered from the record when there is one, else run now and recorded.

        Takes the reserved argument ``id=``: a stable name of the caller's own for this call.

        Raises:
            KitaruContextError: outside a flow, or inside another checkpoint.
        """
        scope = self._scope()
        key, after = _reserved(kwargs)
        for future in after:
            future.block()
        return cast("R", scope.run.call(self._spec, args, kwargs, key))

    def submit(self, *args: Any, **kwargs: Any) -> CallFuture[Any]:
        """Start the call and go on; ``.result()`` of the future waits for its output.

        Futures among the arguments are replaced by their outputs. ``after=`` takes futures to finish first.

        Raises:
            KitaruContextError: outside a flow, or inside another checkpoint.
        """
        scope = self._scope()
        key, after = _reserved(kwargs)
        return scope.run.submit(self._spec, args, kwargs, key, after)

    def map(self, *iterables: Iterable[Any], **fixed: Any) -> list[CallFuture[Any]]:
        """Submit one call for each item (several iterables: in step, like ``map``); returns the futures in order.

        ``fixed`` keyword arguments go to every call.
        """
        return [self.submit(*items, **fixed) for items in zip(*iterables, strict=True)]

    def product(self, *iterables: Iterable[Any], **fixed: Any) -> list[CallFuture[Any]]:
        """Submit one call for each combination of the items; returns the futures in order."""
        return [self.submit(*items, **fixed) for items in itertools.product(*iterables)]

    def _scope(self) -> FlowScope:
        scope = current_scope.get()
        if isinstance(scope, FlowScope):
            return scope
        if isinstance(scope, CheckpointScope):
            raise KitaruContextError(
                f"Checkpoint {self.name!r} was called inside checkpoint {scope.name!r}. A checkpoint is one unit of "
                f"work: call both from the flow, or call the plain function as {self.name}.__wrapped__(…)."
            )
        raise KitaruContextError(
            f"Checkpoint {self.name!r} was called outside a flow. Call it from a function decorated with @flow and "
            f"start that with `.run(…)`; to test the plain function use {self.name}.__wrapped__(…)."
        )


def _reserved(kwargs: dict[str, Any]) -> tuple[str | None, Sequence[CallFuture[Any]]]:
    if not OPTIONS & kwargs.keys():
        return None, ()
    key = kwargs.pop("id", None)
    after = kwargs.pop("after", None) or ()
    if key is not None and (not isinstance(key, str) or not key):
        raise KitaruUsageError(f"id= takes a non-empty string, not {key!r}.")
    futures: list[Any] = [after] if isinstance(after, CallFuture) else list(after)
    return key, futures


@overload
def checkpoint(function: Callable[P, Coroutine[Any, Any, R]], /) -> Checkpoint[P, Coroutine[Any, Any, R]]: ...
@overload
def checkpoint(function: Callable[P, R], /) -> Checkpoint[P, R]: ...
@overload
def checkpoint(
    *,
    retries: int = 0,
    backoff: Backoff | float | None = None,
    timeout: float | None = None,
    type: str | None = None,
    runtime: str | None = None,
    cache: bool | None = None,
    name: str | None = None,
    effect: bool = False,
    on_unknown: str = "ask",
    safe_errors: tuple[type[Exception], ...] = (),
    reconcile: Callable[[str], Any] | None = None,
) -> Callable[[Callable[P, R]], Checkpoint[P, R]]: ...
def checkpoint(
    function: Callable[..., Any] | None = None,
    /,
    *,
    retries: int = 0,
    backoff: Backoff | float | None = None,
    timeout: float | None = None,
    type: str | None = None,
    runtime: str | None = None,
    cache: bool | None = None,
    name: str | None = None,
    effect: bool = False,
    on_unknown: str = "ask",
    safe_errors: tuple[type[Exception], ...] = (),
    reconcile: Callable[[str], Any] | None = None,
) -> Any:
    """Make a function a checkpoint. Works on ``def`` and ``async def``, plain or with options.

    Args:
        function: the function, when used without options.
        retries: attempts after the first that failed.
        backoff: a ``Backoff``, or seconds before the second attempt (doubling from there, with jitter).
        timeout: seconds that one attempt may take; then it fails with ``TimeoutError``.
        type: a free label, for example ``"llm_call"`` or ``"tool_call"``.
        runtime: ``"inline"`` (the default): in the flow's own process.
        cache: re-use the output of an equal call of an earlier execution; ``None``: as the flow says.
        name: the name in the journal; default: the function's.
        effect: work that must not happen twice (a refund, an e-mail). An intent is committed before each attempt, so
            that after a crash, or an exception that is not one of ``safe_errors``, the outcome is known to be unknown.
        on_unknown: what is done then: ``"ask"`` suspends the flow until a person says whether it happened and with
            what result; ``"retry"`` runs it again (hand ``current().idempotency_key`` to the outside system; after an
            exception ``retries`` counts); ``"fail"`` fails the call with failure origin ``unknown``.
        safe_errors: exceptions after which the effect is known not to have happened; ``retries`` counts.
        reconcile: asks the outside system, before ``on_unknown`` is looked at: given the idempotency key it returns
            the effect's result, or ``None`` when it did not happen; then it is run. When it raises, ``on_unknown``
            decides.

    Raises:
        KitaruUsageError: for an option that makes no sense.
        KitaruFeatureNotAvailableError: for ``runtime="isolated"``, which is not built yet.

    Example:
        >>> @checkpoint(retries=3, type="tool_call")
        ... def fetch(url: str) -> str: ...
        >>> fetch.name
        'fetch'
        >>> @checkpoint(effect=True, safe_errors=(ConnectionRefusedError,))
        ... def refund(charge: str) -> str: ...
    """
    policy = _effect_policy(effect, on_unknown, safe_errors, reconcile, cache)
    if runtime == "isolated":
        raise KitaruFeatureNotAvailableError(
            'runtime="isolated" is not available yet; leave it out to run inline.'
        )
    if runtime not in (None, "inline"):
        raise KitaruUsageError(f'runtime takes "inline" or "isolated", not {runtime!r}.')
    if retries < 0:
        raise KitaruUsageError(f"retries counts the attempts after the first: 0 or more, not {retries}.")
    if timeout is not None and timeout <= 0:
        raise KitaruUsageError(f"timeout is in seconds and above 0, not {timeout}.")
    delay = (
        backoff
        if isinstance(backoff, Backoff)
        else Backoff()
        if backoff is None
        else Backoff(initial=backoff)
    )

    def decorate(plain: Callable[..., Any]) -> Checkpoint[Any, Any]:
        if not callable(plain):
            raise KitaruUsageError(f"@checkpoint decorates a function, not {plain!r}.")
        signature = inspect.signature(plain)
        taken = OPTIONS & signature.parameters.keys()
        if taken:
            raise KitaruUsageError(
                f"Checkpoint {plain.__name__!r} has a parameter {taken.pop()!r}, which calls of checkpoints reserve. "
                "Rename it."
            )
        is_async = inspect.iscoroutinefunction(plain)
        spec = CallSpec(
            name or plain.__name__, plain, signature, is_async, retries, delay, timeout, type, cache, policy
        )
        return Checkpoint(plain, spec)

    return decorate if function is None else decorate(function)


def _effect_policy(
    effect: bool,
    on_unknown: str,
    safe_errors: tuple[type[Exception], ...],
    reconcile: Callable[[str], Any] | None,
    cache: bool | None,
) -> EffectPolicy | None:
    if on_unknown not in ("ask", "retry", "fail"):
        raise KitaruUsageError(f'on_unknown takes "ask", "retry" or "fail", not {on_unknown!r}.')
    if not effect:
        if on_unknown != "ask" or safe_errors or reconcile is not None:
            raise KitaruUsageError(
                "on_unknown=, safe_errors= and reconcile= say what becomes of an effect: write effect=True too."
            )
        return None
    if cache:
        raise KitaruUsageError(
            "cache=True on an effect would answer it from another execution's; leave one of the two out."
        )
    wrong = [one for one in safe_errors if not (isinstance(one, type) and issubclass(one, Exception))]  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
    if wrong:
        raise KitaruUsageError(f"safe_errors takes a tuple of exception classes, not {wrong[0]!r}.")
    return EffectPolicy(on_unknown, tuple(safe_errors), reconcile)
