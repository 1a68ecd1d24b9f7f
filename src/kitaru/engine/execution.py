"""Runs one execution from taking its lease to its end or its suspension."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import thread as _executor_threads  # imported first: see join_flows
from dataclasses import dataclass, field
from typing import Any

from kitaru.engine.attempts import pause
from kitaru.engine.backoff import Backoff
from kitaru.engine.causes import failure_form
from kitaru.engine.journal import Journal
from kitaru.engine.patience import Patience
from kitaru.engine.replay import ReplayPlan, Reuse
from kitaru.engine.results import result_links
from kitaru.engine.run import FlowCode, Run
from kitaru.engine.runner import Runner, boot_clock
from kitaru.engine.signals import (
    BudgetExceeded,
    Cancelled,
    FlowSignal,
    LeaseLost,
    Stopped,
    StorageLost,
    Suspended,
    TimedOut,
)
from kitaru.engine.waiting import Prompt
from kitaru.errors import FailureOrigin, KitaruBackendError, KitaruBudgetExceeded, KitaruUsageError
from kitaru.payloads import describe
from kitaru.store.protocol import Fenced
from kitaru.store.records import AttemptRecord, ExecutionRecord, Finish, JsonDict, LogRecord, Status

logger = logging.getLogger("kitaru")

CRASH_LIMIT = 5
FLOW_ATTEMPT = ""
"""The call id under which failed attempts of a whole flow are kept."""


@dataclass
class Session:
    """An execution that this process runs, on a thread of its own."""

    runner: Runner
    execution: ExecutionRecord
    code: FlowCode
    prompt: Prompt | None = None
    fresh: bool = False
    on_suspended: Callable[[], None] = lambda: None
    storage_error: BaseException | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    run: Run | None = None
    leased_at: float = field(default_factory=boot_clock)
    _delay: float = 0.0
    _ending: bool = False

    def __post_init__(self) -> None:
        self._patience = Patience(
            f"execution {self.execution.exec_id}", closed=self._closed, give_up=self._give_up
        )
        self._store = self._patience.before(self.runner.store)

    def start(self) -> None:
        """Run on a new thread that the interpreter waits for."""
        _register_join()
        self._thread = threading.Thread(target=self.main, name=self.execution.exec_id, daemon=True)
        _sessions.add(self)
        self._thread.start()

    def main(self) -> None:
        """Run until the execution ends, suspends, or is lost; every outcome but a loss is in the store then."""
        try:
            self._main()
        except KitaruBackendError as error:
            self.storage_error = error
            self._tell_lost(error)
        except FlowSignal as signal:
            # It came while an end was to be recorded, or before the flow had begun.
            logger.warning("kitaru: %s", signal)
        finally:
            self.ended.set()
            _sessions.discard(self)

    def _main(self) -> None:
        while True:
            if self.execution.takeovers >= CRASH_LIMIT:
                self._fail_crash_loop()
                return
            self.run, self._ending = None, False
            run = self.run = self._new_run()
            self.runner.hold(run, self.leased_at)
            if self.execution.cancel_requested:
                run.interrupt(Cancelled(run.exec_id))
            result: Any = None
            error: BaseException | None = None
            try:
                pause(run, self._delay)
                result = run.main()
            except BaseException as raised:
                error = raised
            if not self._end(run, result, error):
                return

    def _new_run(self) -> Run:
        row, store = self.execution, self._store
        plan = row.spec.get("replay")
        reuse = Reuse(store, ReplayPlan.from_json(plan)) if plan else None
        journal = Journal(store, row.exec_id, row.epoch, reuse, fresh=self.fresh, inputs=row.inputs)
        kind: Any
        if self.code.is_async:
            from kitaru.engine.async_flow import AsyncRun as kind
        else:
            from kitaru.engine.sync_flow import SyncRun as kind
        return kind(
            row,
            self.code,
            store,
            self.runner.vault.behind(self._patience),
            self.runner,
            journal,
            cache_default=bool(row.spec.get("cache")),
            prompt=self.prompt,
        )

    def _end(self, run: Run, result: Any, error: BaseException | None) -> bool:
        """Record how it ended. True: the flow's own retries say to run it again now."""
        self.fresh = False
        self._ending = True
        signal = run.signal
        if isinstance(signal, Suspended):
            self._patience.call(self.on_suspended)
            return False
        if isinstance(signal, LeaseLost):
            self.runner.let_go(run)
            logger.warning("kitaru: %s", signal)
            return False
        if isinstance(signal, StorageLost):
            self.runner.let_go(run)
            self.storage_error = signal.cause
            self._tell_lost(signal.cause)
            return False
        if isinstance(signal, Stopped):
            self.runner.let_go(run)
            self.runner.flush(self.runner.store)
            self.runner.store.release(run.exec_id, run.journal.epoch)
            return False
        return self._finish(run, result, error, signal)

    def _finish(self, run: Run, result: Any, error: BaseException | None, signal: FlowSignal | None) -> bool:
        try:
            end = self._new_end(run, result, error, signal)
            self.runner.flush(self._store)
            if (
                end.status is Status.FAILED
                and signal is None
                and self._void_for_retry(run, end.failure or {})
            ):
                return True
            ready = self._store.finish(end)
        except Fenced:
            logger.warning("kitaru: %s", LeaseLost(run.exec_id))
            return False
        finally:
            self.runner.let_go(run)
        if ready:
            self._patience.call(self.runner.on_ready, ready)
        return False

    def _new_end(
        self, run: Run, result: Any, error: BaseException | None, signal: FlowSignal | None
    ) -> Finish:
        end = Finish(run.exec_id, run.journal.epoch, Status.COMPLETED, active_seconds=run.active_seconds)
        if isinstance(signal, Cancelled):
            end.status, end.failure = Status.CANCELLED, told(signal, FailureOrigin.CANCELLED)
        elif isinstance(signal, BudgetExceeded):
            end.status = Status.FAILED
            end.failure = failure_form(KitaruBudgetExceeded(str(signal)), run.raised)
            end.failure["origin"] = FailureOrigin.RUNTIME
        elif isinstance(signal, TimedOut):
            end.status, end.failure = Status.FAILED, told(signal, FailureOrigin.TIMEOUT)
        elif error is not None:
            end.status, end.failure = Status.FAILED, failure_form(error, run.raised)
        else:
            self._keep_result(run, end, result)
        return end

    def _keep_result(self, run: Run, end: Finish, result: Any) -> None:
        try:
            payload, blobs = run.vault.put(result)
        except KitaruUsageError as unencodable:
            end.status = Status.FAILED
            end.failure = failure_form(
                KitaruUsageError(f"The flow's result cannot be stored: {unencodable}"), run.raised
            )
            return
        end.result, end.blobs = payload, blobs
        end.links = result_links(run, result, payload)

    def _void_for_retry(self, run: Run, failure: JsonDict) -> bool:
        retries = run.execution.spec.get("retries") or 0
        done = run.journal.attempts.get(FLOW_ATTEMPT, 0)
        if done >= retries or failure["origin"] == FailureOrigin.DIVERGENCE:
            return False
        attempt = AttemptRecord(FLOW_ATTEMPT, done + 1, failure, ended_at=time.time())
        self._store.void(run.exec_id, run.journal.epoch, failure["calls"], attempt)
        self._delay = Backoff().seconds(done + 1)
        return True

    def _fail_crash_loop(self) -> None:
        row, store = self.execution, self._store
        calls = [start.call_id for start in store.reads.starts(row.exec_id)]
        named = (
            f" in {', '.join(repr(c) for c in calls)}"
            if calls
            else " before any call was told to have started"
        )
        failure: JsonDict = {
            "origin": FailureOrigin.CRASH_LOOP,
            "type": "crash_loop",
            "message": f"The runner died {row.takeovers} times{named} without getting further. Fix the cause, then "
            f"`kitaru executions retry {row.exec_id}`.",
            "calls": calls,
        }
        ready = store.finish(Finish(row.exec_id, row.epoch, Status.FAILED, failure=failure))
        self._patience.call(self.runner.on_ready, ready)

    def _tell_lost(self, error: BaseException) -> None:
        """Say why it stopped: here, and in the execution's own log for those who look from elsewhere."""
        exec_id = self.execution.exec_id
        why = str(error).rstrip(".")
        text = f"Execution {exec_id} stopped: {why}. Then go on with `kitaru executions resume {exec_id}`."
        logger.error("kitaru: %s", text)
        self.runner.log(LogRecord(exec_id, None, 1, time.time(), "logging", "ERROR", "kitaru", text))
        try:
            self.runner.flush(self.runner.store)
        except KitaruBackendError as unheard:
            logger.error("kitaru: the log of execution %s could not be written either: %s", exec_id, unheard)

    def _closed(self) -> FlowSignal | None:
        """What ends the waiting for storage early. At the end only what makes it somebody else's to record that."""
        signal = self.run.signal if self.run is not None else None
        return signal if not self._ending or isinstance(signal, Stopped | LeaseLost) else None

    def _give_up(self, error: KitaruBackendError) -> BaseException:
        """Storage that will not come back closes a flow that runs; before it begins, and at its end, there is none."""
        if self.run is None or self._ending:
            return error
        lost = StorageLost(self.execution.exec_id, error)
        self.run.interrupt(lost)
        return lost

    def __hash__(self) -> int:
        return id(self)


def told(signal: FlowSignal, origin: FailureOrigin) -> JsonDict:
    """The failure that a signal leaves."""
    described = describe(signal)
    return {"origin": origin, "type": described["type"], "message": described["message"], "calls": []}


_sessions: set[Session] = set()
_registered = False


def _register_join() -> None:
    """Let the interpreter wait for running flows before it shuts down the thread pools that they use.

    ``threading._register_atexit`` is what concurrent.futures itself uses; later registrations run first, so its own
    must be in place before ours: hence the import at the top.
    """
    global _registered
    if not _registered:
        _registered = True
        assert _executor_threads is not None
        threading._register_atexit(join_flows)  # type: ignore[attr-defined]  # there is no public hook that early


def join_flows() -> None:
    """Wait for the flows of this process to end or suspend. Ctrl-C stops them: they can be resumed."""
    try:
        while _sessions:
            next(iter(_sessions)).ended.wait()
    except KeyboardInterrupt:
        stop_flows()


def stop_flows() -> None:
    """Give the executions of this process back, to be resumed."""
    for session in list(_sessions):
        if session.run is not None:
            session.run.interrupt(Stopped(session.execution.exec_id))
            print(f"\n{Stopped(session.execution.exec_id)}", file=sys.stderr)
            session.ended.wait(2)
