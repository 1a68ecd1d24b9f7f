"""Checkpoints submitted to run side by side on threads, and the futures that stand for them."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar, cast

from kitaru.engine.attempts import execute
from kitaru.engine.calls import Call, CallSpec, Outcome
from kitaru.engine.run import Run
from kitaru.engine.scope import Branch
from kitaru.engine.signals import FlowSignal
from kitaru.store.records import CallRecord

T = TypeVar("T")

MAX_THREADS = 32


class CallFuture(Generic[T]):
    """A submitted call. ``.result()`` waits for it and returns its output, or raises its exception.

    Example:
        >>> # future = fetch.submit("https://example.org"); page = future.result()
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ready = False
        self._record: CallRecord | None = None
        self._outcome: Outcome | None = None
        self._raised: BaseException | None = None
        self._followers: list[Callable[[], None]] = []

    def result(self) -> T:
        """Block until the call has ended; return its output or raise its exception."""
        self._run.check_thread()
        self.block()
        return self.outcome()

    load = result

    def block(self) -> None:
        """Wait for the end, or for the flow to be closed."""
        self._run.block(lambda: self._ready)

    @property
    def is_ready(self) -> bool:
        """True once the call has ended."""
        return self._ready

    def outcome(self) -> T:
        """The output or the exception of a call that has ended."""
        if self._raised is not None:
            raise self._raised
        assert self._record is not None
        return cast("T", self._run.deliver(self._record, self._outcome))

    def complete(
        self,
        record: CallRecord | None = None,
        outcome: Outcome | None = None,
        raised: BaseException | None = None,
    ) -> None:
        """The call has ended; whoever waits is woken."""
        with self._run.changed:
            self._record, self._outcome, self._raised = record, outcome, raised
            self._ready = True
            followers, self._followers = self._followers, []
            self._run.changed.notify_all()
        for follower in followers:
            follower()

    def then(self, follower: Callable[[], None]) -> None:
        """Call ``follower`` when the call has ended; at once if it has."""
        with self._run.changed:
            if not self._ready:
                self._followers.append(follower)
                return
        follower()


class Jobs:
    """The submitted calls of one run."""

    def __init__(self, run: Run, branch_of: Callable[[], Branch], on_change: Callable[[], None]) -> None:
        self._run = run
        self._branch_of = branch_of
        self._on_change = on_change
        self._pool: ThreadPoolExecutor | None = None
        self.in_flight = 0

    def submit(
        self,
        spec: CallSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None,
        after: Iterable[CallFuture[Any]],
    ) -> CallFuture[Any]:
        """Number the call now; run it when the futures among its arguments and in ``after`` have ended."""
        run = self._run
        run.check_thread()
        call = run.issue_checkpoint(self._branch_of(), spec, key)
        future: CallFuture[Any] = CallFuture(run)
        needed = [*_futures((*args, *kwargs.values())), *after]
        if not needed and self._answered(call, args, kwargs, future):
            return future
        with run.changed:
            self.in_flight += 1
        context = contextvars.copy_context()
        waiting = len(needed)

        def start() -> None:
            self._threads().submit(context.run, self._work, call, args, kwargs, bool(needed), future)

        if not needed:
            start()
            return future

        def one_ended() -> None:
            nonlocal waiting
            with run.changed:
                waiting -= 1
                last = waiting == 0
            if last:
                start()

        for dependency in needed:
            dependency.then(one_ended)
        return future

    def answer_now(
        self,
        call: Call,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: CallFuture[Any],
        after: Iterable[CallFuture[Any]],
    ) -> bool:
        """Complete the future from the journal, if all that the call needs has ended and the call is recorded."""
        needed = [*_futures((*args, *kwargs.values())), *after]
        if not all(one.is_ready for one in needed):
            return False
        args = tuple(_resolved(a) for a in args)
        return self._answered(call, args, {k: _resolved(v) for k, v in kwargs.items()}, future)

    def _answered(
        self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any], future: CallFuture[Any]
    ) -> bool:
        self._run.bind(call, args, kwargs)
        record = self._run.recorded(call)
        if record is None:
            return False
        future.complete(record)
        return True

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix=self._run.exec_id)
        return self._pool

    def _work(
        self,
        call: Call,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        unbound: bool,
        future: CallFuture[Any],
    ) -> None:
        try:
            if unbound:
                args = tuple(_resolved(a) for a in args)
                kwargs = {k: _resolved(v) for k, v in kwargs.items()}
                if self._answered(call, args, kwargs, future):
                    return
            outcome = execute(self._run, call)
            future.complete(self._run.record(call, outcome), outcome)
        except FlowSignal as signal:
            self._run.interrupt(signal)
            future.complete(raised=signal)
        except BaseException as error:
            future.complete(raised=error)
        finally:
            with self._run.changed:
                self.in_flight -= 1
                self._run.changed.notify_all()
            self._on_change()

    def drain(self) -> None:
        """Wait until no submitted call is running. The flow may be suspended, or closed, meanwhile."""
        try:
            self._run.block(lambda: not self.in_flight)
        except FlowSignal:
            with self._run.changed:
                while self.in_flight:
                    self._run.changed.wait()

    def close(self) -> None:
        """End the threads, without waiting for bodies that were given up."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)


def _futures(values: Iterable[object]) -> list[CallFuture[Any]]:
    return [cast("CallFuture[Any]", value) for value in values if isinstance(value, CallFuture)]


def _resolved(value: object) -> Any:
    found = _futures([value])
    return found[0].outcome() if found else value
