"""Runs a flow written with ``async def`` on a loop of its own.

What a call returns is handed to the flow one at a time, in commit order, and only when the loop has nothing else to
do. A first run and a resume therefore see the same order, whatever the flow does with its tasks.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass, field
from typing import Any

from kitaru.engine.arguments import flow_inputs
from kitaru.engine.async_attempts import execute_async
from kitaru.engine.calls import Call, CallSpec, Outcome
from kitaru.engine.jobs import CallFuture
from kitaru.engine.loop import FlowLoop
from kitaru.engine.scope import Branch, FlowScope, current_scope
from kitaru.engine.signals import BudgetExceeded, FlowSignal, Suspended
from kitaru.engine.sync_flow import call_in_thread
from kitaru.engine.waiting import POLL_SECONDS, Pending
from kitaru.engine.waiting_run import WaitingRun
from kitaru.errors import KitaruBackendError
from kitaru.store.records import CallRecord

Delivery = tuple[CallRecord, Outcome | None]
CANCELS_BEFORE_STOP = 100


@dataclass(slots=True)
class Started:
    """A call whose body runs, or will: the flow awaits ``future``."""

    call: Call
    future: asyncio.Future[Delivery]
    task: asyncio.Task[None] | None = None
    outcome: Outcome | None = None


OWN, REUSED, LIVE = range(3)
"""Whose records are released first: this journal's, then those of a replayed original, then what has just ended."""


@dataclass(order=True, slots=True)
class Parked:
    """An outcome to be handed to the flow in its turn; ``adopt``: its call, when the record is an original's."""

    rank: int
    seq: int
    position: int
    future: asyncio.Future[Delivery] = field(compare=False)
    delivery: Delivery = field(compare=False)
    adopt: Call | None = field(default=None, compare=False)


@dataclass
class AsyncRun(WaitingRun):
    """An async flow that runs."""

    _parked: list[Parked] = field(default_factory=list["Parked"])
    _queued: list[Started] = field(default_factory=list[Started])
    _ended: list[Started] = field(default_factory=list[Started])
    _pending: dict[str, tuple[Pending, asyncio.Future[Delivery]]] = field(
        default_factory=dict[str, tuple[Pending, "asyncio.Future[Delivery]"]]
    )
    _running: int = 0
    _cancels: int = 0
    _commit: ThreadFuture[None] | None = None

    # ---------------------------------------------------------------- the loop

    def main(self) -> Any:
        """Run the body to its end on a new loop; returns its result."""
        self.thread_id = threading.get_ident()
        args, kwargs = flow_inputs(self)
        context = contextvars.copy_context()
        context.run(current_scope.set, FlowScope(self, self.root))
        self._main: Coroutine[Any, Any, Any] = self.code.function(*args, **kwargs)
        try:
            with asyncio.Runner(loop_factory=lambda: FlowLoop(self._on_idle)) as runner:
                self.loop = runner.get_loop()
                self.loop.set_task_factory(self._new_task)
                self.loop.set_exception_handler(self._on_loop_error)
                return runner.run(self._main, context=context)
        finally:
            self.jobs.drain()
            self.jobs.close()
            if self._commit is not None:
                self._commit.exception()

    def interrupt(self, signal: FlowSignal) -> None:
        """As the base class; the loop is woken to cancel what runs on it."""
        super().interrupt(signal)
        self.wake()

    def wake(self) -> None:
        """Let the loop look again."""
        loop = getattr(self, "loop", None)
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), FlowSignal):
            loop.default_exception_handler(context)

    def branch(self) -> Branch:
        """The branch of the task that makes a call now."""
        scope = current_scope.get()
        return scope.branch if isinstance(scope, FlowScope) else self.root

    def _new_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        context: contextvars.Context = options.pop("context", None) or contextvars.copy_context()
        scope = context.get(current_scope)
        code = getattr(coro, "cr_code", None)
        if isinstance(scope, FlowScope) and coro is not self._main and code is not self._await_call.__code__:
            context = context.copy()
            branch = scope.branch.child(getattr(coro, "__name__", type(coro).__name__))
            self.trails.begin(branch.trail)
            context.run(current_scope.set, FlowScope(self, branch))
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context, **options)
        if coro is self._main:
            self._main_task = task
        return task

    def _on_idle(self) -> bool | float | None:
        if self.signal is not None:
            if isinstance(self.signal, BudgetExceeded) and self._is_busy():
                return POLL_SECONDS  # what is being paid for is recorded first
            return self._close_down()
        while self._parked:
            parked = heapq.heappop(self._parked)
            if not parked.future.done():
                try:
                    self._release(parked)
                except FlowSignal:
                    return self._close_down()
                return True
        if self._queued:
            queued, self._queued = self._queued, []
            for started in queued:
                self._start(started)
            return True
        if not self._pending and not self.waits.asked:
            return None
        try:
            return self._look_at_waits()
        except FlowSignal:
            return self._close_down()

    def _is_busy(self) -> bool:
        return bool(self._running or self._ended or self._commit is not None)

    def _close_down(self) -> bool | None:
        """The flow was closed: end what is left of it on this loop."""
        assert self.signal is not None
        if self._main_task.done():
            return None
        self._cancels += 1
        if self._cancels > CANCELS_BEFORE_STOP:
            self.loop.stop()
            return True
        waiting = [future for _, future in self._pending.values() if not future.done()]
        if isinstance(self.signal, Suspended) and waiting:
            for future in waiting:
                future.set_exception(self.signal)
            return True
        self._main_task.cancel()
        return True

    # ---------------------------------------------------------------- checkpoints

    def call(self, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any], key: str | None) -> Any:
        """An async checkpoint: numbered now, awaited by the flow. A sync one: run to its end, off this thread."""
        self.check_thread()
        if not spec.is_async:
            return call_in_thread(self, self.branch(), spec, args, kwargs, key)
        call = self.issue_checkpoint(self.branch(), spec, key)
        self.bind(call, args, kwargs)
        return self._await_call(call, None)

    def submit(
        self,
        spec: CallSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None,
        after: Iterable[CallFuture[Any]],
    ) -> CallFuture[Any]:
        """A checkpoint to run on a thread, side by side with what follows."""
        return self.jobs.submit(spec, args, kwargs, key, after)

    async def _await_call(self, call: Call, pending: Pending | None) -> Any:
        self.check_thread()
        future: asyncio.Future[Delivery] = self.loop.create_future()
        started = Started(call, future)
        if not self._park_recorded(call, future):
            if pending is None:
                self._queued.append(started)
            else:
                self.waits.open(pending)
                self._pending[call.call_id] = (pending, future)
        try:
            delivered, outcome = await future
        except asyncio.CancelledError:
            if started in self._queued:
                self._queued.remove(started)
            if started.task is not None:
                started.task.cancel()
            if pending is not None and call.call_id in self._pending and self.signal is None:
                self.waits.withdraw(pending)
            raise
        finally:
            self._pending.pop(call.call_id, None)
        return self.deliver(delivered, outcome)

    def _park_recorded(self, call: Call, future: asyncio.Future[Delivery]) -> bool:
        """Park what is recorded for the call, to be released in its turn; False when nothing is."""
        own = self.own_record(call)
        if own is not None:
            heapq.heappush(self._parked, Parked(OWN, own.seq, call.position, future, (own, None)))
            return True
        reused = self.reusable(call)
        if reused is not None:
            # Adopted when it is released, so that the replay's journal has the order of the original's.
            heapq.heappush(
                self._parked, Parked(REUSED, reused.seq, call.position, future, (reused, None), call)
            )
            return True
        found = self.recorded_elsewhere(call)
        if found is not None:
            self._park(found, None, future)
        return found is not None

    def _park(self, record: CallRecord, outcome: Outcome | None, future: asyncio.Future[Delivery]) -> None:
        heapq.heappush(self._parked, Parked(LIVE, record.seq, record.position, future, (record, outcome)))

    def _release(self, parked: Parked) -> None:
        if parked.adopt is not None:
            self.adopt(parked.adopt, parked.delivery[0])
        parked.future.set_result(parked.delivery)

    def _start(self, started: Started) -> None:
        context = contextvars.copy_context()
        context.run(current_scope.set, None)
        self._running += 1
        started.task = self.loop.create_task(self._work(started), context=context)

    async def _work(self, started: Started) -> None:
        try:
            started.outcome = await execute_async(self, started.call, self._ask_async)
        except FlowSignal as signal:
            self.interrupt(signal)
            return
        except asyncio.CancelledError:
            return
        except BaseException as error:
            if not started.future.done():
                started.future.set_exception(error)
            return
        finally:
            self._running -= 1
        if not self._ended:
            self.loop.call_soon(self._flush)
        self._ended.append(started)

    def _flush(self) -> None:
        """Commit what ended in this tick in one transaction, off the loop."""
        if self._ended and (self._commit is None or self._commit.done()):
            batch, self._ended = self._ended, []
            self._commit = self.runner.committers.submit(self._commit_batch, batch)

    def _commit_batch(self, batch: list[Started]) -> None:
        records: list[CallRecord] = []
        artifacts: list[Any] = []
        blobs: list[Any] = []
        links: list[Any] = []
        try:
            for started in batch:
                assert started.outcome is not None
                record, kept, error = self.build(started.call, started.outcome)
                records.append(record)
                blobs += kept
                artifacts += started.outcome.artifacts
                links += [] if error else started.outcome.links.values()
            self.commit(records, artifacts=artifacts, blobs=blobs, links=links)
        except BaseException as raised:
            failed = raised
            self.loop.call_soon_threadsafe(lambda: self._commit_failed(batch, failed))
            return
        self.loop.call_soon_threadsafe(self._committed, batch, records)

    def _committed(self, batch: list[Started], records: list[CallRecord]) -> None:
        for started, record in zip(batch, records, strict=True):
            self._park(record, started.outcome, started.future)
        self._flush_later()

    def _commit_failed(self, batch: list[Started], error: BaseException) -> None:
        for started in batch:
            if not started.future.done():
                started.future.set_exception(error)
        self._flush_later()

    def _flush_later(self) -> None:
        # The thread's future is not done yet while its last callback runs here.
        self._commit = None
        self._flush()

    # ---------------------------------------------------------------- waits

    def open_wait(self, pending: Pending) -> Coroutine[Any, Any, Any]:
        """A wait, numbered now, to be awaited."""
        self.check_thread()
        return self._await_call(pending.call, pending)

    def _look_at_waits(self) -> bool | float:
        """Deliver what was settled; suspend when only waits are left and none is worth staying for."""
        if not self._refresh_waits():
            return POLL_SECONDS
        if self._deliver_settled():
            return True
        pendings = [pending for pending, _ in self._pending.values()] + list(self.waits.asked.values())
        busy = self._commit is not None or self.active()
        if not busy:
            for pending in pendings:
                self.waits.ask(pending)
            if self._deliver_settled():
                return True
            if all(self.waits.may_suspend(p) for p in pendings) and self.try_suspend():
                return True
        return self.waits.seconds_to_next(pendings)

    def active(self) -> int:
        """How many calls are on their way, not counting those that ask a person."""
        return super().active() + self._running

    async def _ask_async(self, pending: Pending) -> CallRecord:
        """The record of a question that an async call asks; nothing runs meanwhile."""
        record = self.own_record(pending.call)
        if record is not None:
            return record
        future: asyncio.Future[Delivery] = self.loop.create_future()
        self.waits.open(pending)
        self._pending[pending.call.call_id] = (pending, future)
        self._running -= 1
        try:
            return (await future)[0]
        finally:
            self._running += 1
            self._pending.pop(pending.call.call_id, None)

    def _refresh_waits(self) -> bool:
        """False: look later. The bodies that run on this loop must not stand still because the storage does."""
        if self._running:
            try:
                self.waits.refresh(self.runner.store)
            except KitaruBackendError as error:
                if error.transient:
                    return False
            else:
                return True
        self.waits.refresh()
        return True

    def _deliver_settled(self) -> bool:
        self.waits.collect()
        for call_id in list(self.waits.known):
            if call_id in self._pending:
                pending, future = self._pending[call_id]
                if pending.record is not None:
                    del self._pending[call_id]
                    self._park(pending.record, None, future)
                    return True
        return False
