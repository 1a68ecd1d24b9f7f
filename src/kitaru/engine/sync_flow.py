"""Runs a flow written with ``def``: its body on one thread, its calls in program order."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kitaru.engine.arguments import flow_inputs
from kitaru.engine.attempts import execute
from kitaru.engine.calls import Call, CallSpec
from kitaru.engine.jobs import CallFuture
from kitaru.engine.run import Run
from kitaru.engine.scope import Branch, FlowScope, current_scope
from kitaru.engine.waiting import Pending
from kitaru.engine.waiting_run import WaitingRun
from kitaru.errors import KitaruUsageError
from kitaru.store.records import CallRecord


class WaitFuture:
    """A wait that was asked for and may be answered while the flow does other things."""

    def __init__(self, run: SyncRun, call: Call, pending: Pending | None, record: CallRecord | None) -> None:
        self._run = run
        self._call = call
        self._pending = pending
        self._record = record

    def result(self) -> Any:
        """The answer; suspends the flow when it is not there yet."""
        self._run.check_thread()
        if self._record is None:
            assert self._pending is not None
            self._record = self._run.settle(self._pending)
        return self._run.deliver(self._record)

    load = result


@dataclass
class SyncRun(WaitingRun):
    """A sync flow that runs."""

    def main(self) -> Any:
        """Run the body to its end, with its inputs decoded from the record; returns its result."""
        self.thread_id = threading.get_ident()
        args, kwargs = flow_inputs(self)
        token = current_scope.set(FlowScope(self, self.root))
        try:
            return self.code.function(*args, **kwargs)
        finally:
            current_scope.reset(token)
            self.jobs.drain()
            self.jobs.close()

    def call(self, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any], key: str | None) -> Any:
        """A checkpoint called directly: answered from the journal, or run now, recorded, and answered."""
        self.check_thread()
        if spec.is_async:
            raise KitaruUsageError(
                f"Async checkpoint {spec.name!r} was called in the sync flow {self.code.name!r}, which cannot await "
                f"it. Write `{spec.name}.submit(…).result()`, or make the flow `async def`."
            )
        return call_in_thread(self, self.root, spec, args, kwargs, key)

    def submit(
        self,
        spec: CallSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None,
        after: Iterable[CallFuture[Any]],
    ) -> CallFuture[Any]:
        """A checkpoint to run side by side with what follows."""
        return self.jobs.submit(spec, args, kwargs, key, after)

    def open_wait(self, pending: Pending) -> WaitFuture:
        """Register a wait and go on."""
        self.check_thread()
        record = self.recorded(pending.call)
        if record is None:
            self.waits.open(pending)
        return WaitFuture(self, pending.call, pending, record)


def call_in_thread(
    run: Run, branch: Branch, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any], key: str | None
) -> Any:
    """The whole of one sync checkpoint's call."""
    call = run.issue_checkpoint(branch, spec, key)
    run.bind(call, args, kwargs)
    record = run.recorded(call)
    if record is not None:
        return run.deliver(record)
    outcome = execute(run, call)
    return run.deliver(run.record(call, outcome), outcome)
