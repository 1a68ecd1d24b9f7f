"""``@flow``: the outer durable boundary, and how its executions are started."""

from __future__ import annotations

import functools
import inspect
import itertools
import secrets
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar, cast, overload

from kitaru import settings, starting
from kitaru.backend import Backend, backend
from kitaru.children import ChildHandle
from kitaru.engine.execution import Session
from kitaru.engine.run import FlowCode
from kitaru.engine.runner import LEASE_SECONDS
from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.engine.vault import Vault
from kitaru.errors import (
    KitaruContextError,
    KitaruFeatureNotAvailableError,
    KitaruStateError,
    KitaruUsageError,
)
from kitaru.handles import FlowHandle
from kitaru.inert import InertHandle
from kitaru.replays import check_replay_options, new_replay
from kitaru.runners.entrypoint import describe_entrypoint
from kitaru.runners.top_level import loading
from kitaru.store.protocol import Store
from kitaru.store.records import Blob, CallKind, ExecutionRecord, JsonDict, NewExecution

if TYPE_CHECKING:
    from kitaru.images import ImageSettings

__all__ = ["Flow", "flow", "target"]

P = ParamSpec("P")
R = TypeVar("R")

RUN_OPTIONS = ("stack", "image", "cache", "retries", "idempotency_key")

_launch_id = secrets.token_hex(8)
_launches = itertools.count(1)
_target: ExecutionRecord | None = None


@dataclass(frozen=True)
class FlowOptions:
    """What the decorator said; None where it said nothing."""

    retries: int | None
    cache: bool | None
    stack: str | None
    image: Any
    timeout: float | None
    budget_usd: float | None


class Flow(Generic[P, R]):
    """A function made durable by ``@flow``. Start it with ``.run(…)``."""

    def __init__(self, function: Callable[P, Any], name: str, options: FlowOptions) -> None:
        functools.update_wrapper(self, function)
        self.__kitaru_function__ = function
        self._signature = inspect.signature(function)
        self._code = FlowCode(name, function, inspect.iscoroutinefunction(function))
        self._options = options

    @property
    def name(self) -> str:
        """The flow's name."""
        return self._code.name

    def __repr__(self) -> str:
        return f"<flow {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> NoReturn:
        """Raises ``KitaruUsageError``: a flow is started with ``.run(…)``."""
        raise KitaruUsageError(
            f"Flow {self.name!r} was called directly, which would record nothing. Write {self.name}.run(…), and "
            f"{self.name}.run(…).wait() for its result."
        )

    def run(self, *args: Any, **kwargs: Any) -> FlowHandle[R]:
        """Start an execution and return at once.

        Args:
            *args: the flow's arguments.
            **kwargs: the flow's arguments, and ``stack= image= cache= retries=``, which override the decorator's, and
                ``idempotency_key=``: a second start with the same key gives the first one's execution.

        Raises:
            KitaruUsageError: when the arguments do not fit, or cannot be stored.
            KitaruContextError: inside a checkpoint.

        Example:
            >>> # handle = review.run("Durable agents"); print(handle.wait())
        """
        options = {name: kwargs.pop(name, None) for name in RUN_OPTIONS}
        scope = current_scope.get()
        if isinstance(scope, CheckpointScope):
            raise KitaruContextError(
                f"{self.name}.run() was called inside checkpoint {scope.name!r}. Start child flows in the flow's body."
            )
        if isinstance(scope, FlowScope):
            return cast("FlowHandle[R]", self._run_child(scope, args, kwargs, options))
        if loading():
            return cast("FlowHandle[R]", InertHandle(backend(), _target, next(_launches)))
        found = backend()
        inputs, blobs = self._inputs(found.vault, args, kwargs)
        new = self._new(starting.new_exec_id(), inputs, blobs, options)
        new.launch_id, new.launch_ordinal = _launch_id, next(_launches)
        return self._start(found, new)

    def replay(
        self,
        exec_id: str,
        from_: str | None = None,
        overrides: dict[str, Any] | None = None,
        effects: str | None = None,
        memory: str | None = None,
        **new_inputs: Any,
    ) -> FlowHandle[R]:
        """Run an execution again as a new one, with what came before ``from_`` answered from the record.

        Args:
            exec_id: the execution to repeat.
            from_: a checkpoint's name, a call id, or ``"changed"`` (only what a change of code or inputs reaches).
                Default: from the earliest call that an override touches, else the first that did not complete.
            overrides: ``{"checkpoint.<name>": output, "wait.<name>": answer, "input.<parameter>": value}``.
            effects: what effects do that would run again. ``"recorded"``, the default: they answer from the record
                where inputs are equal, else a person is asked; ``"ask"``: a person is asked; ``"live"``: they run.
            memory: what reads of memory that run again see. ``"as_of"``, the default: what the original could see, with
                the replay's own writes, which go to a scope of its own; ``"live"``: what there is now, to which it
                writes too.
            **new_inputs: flow arguments to change.

        Raises:
            KitaruStateError: for an unknown execution, or a selector that means no call or several.
        """
        plan_effects, plan_memory = check_replay_options(effects, memory)
        if loading():
            return cast("FlowHandle[R]", InertHandle(backend(), _target, next(_launches)))
        if current_scope.get() is not None:
            raise KitaruContextError(
                "replay() was called inside a flow. Call it from outside, or run a child flow."
            )
        found = backend()
        new = new_replay(
            found.store,
            found.vault,
            exec_id,
            starting.new_exec_id(),
            from_,
            overrides,
            new_inputs,
            plan_effects,
            plan_memory,
        )
        if new.flow_name != self.name:
            raise KitaruStateError(
                f"Execution {exec_id} is one of flow {new.flow_name!r}, not of {self.name!r}. "
                f"Use {new.flow_name}.replay."
            )
        new.spec["entrypoint"] = describe_entrypoint(self.__kitaru_function__).to_json()
        new.launch_id, new.launch_ordinal = _launch_id, next(_launches)
        return self._start(found, new)

    def deploy(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available yet: raises ``KitaruFeatureNotAvailableError``."""
        raise KitaruFeatureNotAvailableError(
            "Deployments are not available yet. Start the flow with .run(…)."
        )

    # ---------------------------------------------------------------- inside

    @property
    def code(self) -> FlowCode:
        """The flow as the engine runs it."""
        return self._code

    def go_on(self, exec_id: str, store: Store | None = None) -> Session | None:
        """Take an execution of this flow over and run it in this process; None when that is not possible now.

        ``store``: the one of the run that asks for it, if any.
        """
        return starting.take_and_begin(backend(), exec_id, self._code, store)

    def _inputs(
        self, vault: Vault, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[JsonDict, list[Blob]]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise KitaruUsageError(
                f"{self.name}.run() was called with wrong arguments: {error}. The flow is "
                f"{self.name}{self._signature}; options of run are {', '.join(RUN_OPTIONS)}."
            ) from error
        bound.apply_defaults()
        inputs: JsonDict = {}
        blobs: list[Blob] = []
        for name, value in bound.arguments.items():
            inputs[name], kept = vault.put_json(value)
            blobs += kept
        return inputs, blobs

    def _new(
        self, exec_id: str, inputs: JsonDict, blobs: list[Blob], options: dict[str, Any]
    ) -> NewExecution:
        said = self._options
        stack = settings.setting("stack", options["stack"], said.stack)
        if stack != "local":
            raise KitaruFeatureNotAvailableError(
                f"There is no stack {stack!r}; only the built-in 'local' is available."
            )
        spec: JsonDict = {
            "entrypoint": describe_entrypoint(self.__kitaru_function__).to_json(),
            "retries": settings.setting("retries", options["retries"], said.retries),
            "cache": settings.setting("cache", options["cache"], said.cache),
            "timeout": settings.setting("timeout", said.timeout),
            "budget_usd": settings.setting("budget_usd", said.budget_usd),
        }
        return NewExecution(
            exec_id,
            self.name,
            self.name,
            spec,
            inputs,
            blobs,
            stack_name=stack,
            idempotency_key=options["idempotency_key"],
        )

    def _start(self, found: Backend, new: NewExecution) -> FlowHandle[R]:
        new.lease_owner, new.lease_seconds = found.runner.owner, LEASE_SECONDS
        made = found.store.create(new)
        exec_id = made.execution.exec_id
        if not made.created:
            return FlowHandle(found, exec_id)
        session = starting.begin(found, made.execution, self._code, fresh=True)
        only_here = new.spec["entrypoint"]["kind"] == "none"
        return FlowHandle(
            found, exec_id, session, self._go_on_if_ready(found, exec_id) if only_here else None
        )

    def _go_on_if_ready(self, found: Backend, exec_id: str) -> Callable[[], Session | None]:
        def go_on() -> Session | None:
            return self.go_on(exec_id) if exec_id in found.store.wakeable() else None

        return go_on

    def _run_child(
        self, scope: FlowScope, args: tuple[Any, ...], kwargs: dict[str, Any], options: dict[str, Any]
    ) -> ChildHandle[R]:
        found, run = backend(), scope.run
        run.check_thread()
        inputs, blobs = self._inputs(run.vault, args, kwargs)
        call = run.issue(scope.branch, CallKind.CHILD, self.name, inputs=inputs)

        def start() -> str:
            new = self._new(starting.child_exec_id(run.exec_id, call.call_id), inputs, blobs, options)
            new.parent_exec_id, new.parent_call_id = run.exec_id, call.call_id
            return run.store.create(new).execution.exec_id

        exec_id = str(run.instant(call, start))

        def adopt() -> None:
            row = run.store.execution(exec_id)
            if row.status == "running" and not found.runner.holds(exec_id):
                self.go_on(exec_id, run.store)

        adopt()
        return ChildHandle(found, scope, exec_id, self.name, adopt)


@contextmanager
def target(execution: ExecutionRecord) -> Generator[None]:
    """While a script is loaded: the execution that is to go on, so that handles know which of them it is."""
    global _target, _launches
    _target, before = execution, _launches
    _launches = itertools.count(1)
    try:
        yield
    finally:
        _target, _launches = None, before


@overload
def flow(function: Callable[P, Coroutine[Any, Any, R]], /) -> Flow[P, R]: ...
@overload
def flow(function: Callable[P, R], /) -> Flow[P, R]: ...
@overload
def flow(
    *,
    retries: int | None = None,
    cache: bool | None = None,
    stack: str | None = None,
    image: ImageSettings | dict[str, Any] | None = None,
    timeout: float | None = None,
    budget_usd: float | None = None,
    name: str | None = None,
) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
def flow(
    function: Callable[..., Any] | None = None,
    /,
    *,
    retries: int | None = None,
    cache: bool | None = None,
    stack: str | None = None,
    image: ImageSettings | dict[str, Any] | None = None,
    timeout: float | None = None,
    budget_usd: float | None = None,
    name: str | None = None,
) -> Any:
    """Make a function a flow: each ``.run()`` of it is an execution with a journal. ``def`` or ``async def``.

    ``None`` means: from the next level of settings (``kitaru.configure``, environment, files, built-in).

    Args:
        function: the function, when used without options.
        retries: how often a flow that failed is run again, from what is recorded. Built in: 0.
        cache: re-use outputs of equal calls of earlier executions of this flow. Built in: False.
        stack: the stack to run on.
        image: the image to run in, on stacks with containers.
        timeout: seconds that the flow may work; time spent suspended does not count.
        budget_usd: the most that model calls of an execution and its children may cost, in US dollars, as far as
            prices are known. The call that would begin above it does not start, and the execution ends with
            ``KitaruBudgetExceeded``: resume it with a higher budget and what is recorded is not paid again.
        name: the flow's name; default: the function's.

    Raises:
        KitaruUsageError: for an option that makes no sense.

    Example:
        >>> @flow(retries=1)
        ... def greet(name: str) -> str:
        ...     return f"Hello, {name}"
        >>> greet.name
        'greet'
    """
    if budget_usd is not None and budget_usd <= 0:
        raise KitaruUsageError(f"budget_usd is in US dollars and above 0, not {budget_usd}.")
    if retries is not None and retries < 0:
        raise KitaruUsageError(f"retries is 0 or more, not {retries}.")
    if timeout is not None and timeout <= 0:
        raise KitaruUsageError(f"timeout is in seconds and above 0, not {timeout}.")
    options = FlowOptions(retries, cache, stack, image, timeout, budget_usd)

    def decorate(plain: Callable[..., Any]) -> Flow[Any, Any]:
        if not callable(plain):
            raise KitaruUsageError(f"@flow decorates a function, not {plain!r}.")
        taken = set(RUN_OPTIONS) & inspect.signature(plain).parameters.keys()
        if taken:
            raise KitaruUsageError(
                f"Flow {plain.__name__!r} has a parameter {taken.pop()!r}, which .run() takes as an option. Rename it."
            )
        return Flow(plain, name or plain.__name__, options)

    return decorate if function is None else decorate(function)
