"""Runs a checkpoint's body: on the flow's thread, or on one of its own when it has to be watched."""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from kitaru.engine.calls import Outcome
from kitaru.engine.interrupts import ASYNC_RAISABLE
from kitaru.engine.run import Run
from kitaru.engine.scope import CheckpointScope, current_scope
from kitaru.engine.signals import FlowSignal


def checkpoint_timeout(name: str, seconds: float) -> TimeoutError:
    """The failure of an attempt that took too long."""
    error = TimeoutError(f"checkpoint {name!r} ran for longer than its timeout of {seconds:g} s")
    error.__kitaru_timeout__ = True  # type: ignore[attr-defined]  # read where the origin is recorded
    return error


def run_body(run: Run, scope: CheckpointScope, body: Callable[[], Any]) -> Outcome:
    """Run a body on this thread and say what it did. Signals of the engine pass through."""
    token = current_scope.set(scope)
    started = time.time()
    outcome = Outcome(
        started_at=started,
        metadata=scope.metadata,
        usage=scope.usage,
        artifacts=scope.artifacts,
        blobs=scope.blobs,
        links=scope.links,
    )
    try:
        run.bodies.enter()
        try:
            outcome.value = body()
        finally:
            run.bodies.leave()
    except tuple(ASYNC_RAISABLE.values()):
        run.check_open()
        raise
    except FlowSignal:
        raise
    except Exception as error:
        outcome.error = error
    finally:
        current_scope.reset(token)
    outcome.ended_at = time.time()
    outcome.attempts = scope.attempt
    return outcome


def must_leave_thread() -> bool:
    """True on a thread with a running event loop: a sync body there could not use ``asyncio.run``."""
    asyncio = sys.modules.get("asyncio")  # not imported: then no loop can be running
    return asyncio is not None and asyncio._get_running_loop() is not None


class BodyThread:
    """A body on a thread of its own: it can be given up, and it has no event loop around it."""

    def __init__(self, run: Run, scope: CheckpointScope, body: Callable[[], Any]) -> None:
        self._result: Outcome | None = None
        self._raised: BaseException | None = None
        self.done = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._main, run, scope, body),
            name=f"{scope.name} of {run.exec_id}",
            daemon=True,
        )
        self._thread.start()

    def _main(self, run: Run, scope: CheckpointScope, body: Callable[[], Any]) -> None:
        try:
            self._result = run_body(run, scope, body)
        except BaseException as signal:
            self._raised = signal
        finally:
            self.done.set()

    def outcome(self) -> Outcome:
        """What the body did, once ``done`` is set."""
        if self._raised is not None:
            raise self._raised
        assert self._result is not None
        return self._result


def run_sync_attempt(
    run: Run, scope: CheckpointScope, body: Callable[[], Any], timeout: float | None
) -> tuple[Outcome, threading.Event | None]:
    """One attempt of a sync body; with its thread's end, for one that was given up and is still running."""
    if timeout is None and not must_leave_thread():
        return run_body(run, scope, body), None
    started = time.time()
    thread = BodyThread(run, scope, body)
    if thread.done.wait(timeout):
        return thread.outcome(), None
    assert timeout is not None
    late = Outcome(started_at=started, ended_at=time.time(), attempts=scope.attempt)
    late.error = checkpoint_timeout(scope.name, timeout)
    return late, thread.done
