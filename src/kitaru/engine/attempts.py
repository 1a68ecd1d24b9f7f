"""Attempts of one call: run, fail, wait, run again. The loop is shared; the driver here is for sync bodies."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from kitaru.engine.bodies import run_sync_attempt
from kitaru.engine.calls import Call, CallSpec, Outcome
from kitaru.engine.run import Run, checkpoint_scope
from kitaru.store.records import StartRecord


@dataclass(slots=True)
class Attempt:
    """The driver runs this attempt and sends its outcome."""

    number: int


@dataclass(slots=True)
class Retry:
    """The driver records the failed attempt, and waits."""

    failed: Outcome
    number: int
    seconds: float


def attempts(run: Run, call: Call) -> Generator[Attempt | Retry, Outcome | None, Outcome]:
    """What to do next, until the last outcome. Attempts that failed before a crash count."""
    assert call.spec is not None
    spec = call.spec
    number = run.journal.attempts.get(call.call_id, 0) + 1
    while True:
        outcome = yield Attempt(number)
        assert outcome is not None
        outcome.attempts = number
        if outcome.error is None or number > spec.retries:
            return outcome
        yield Retry(outcome, number, spec.backoff.seconds(number))
        number += 1


def told_started(run: Run, call: Call, number: int) -> None:
    """Before each attempt's body: the lease must be alive; then who watches may know that it runs."""
    run.ensure_lease()
    run.runner.started(run, StartRecord(run.exec_id, call.call_id, call.name, call.kind, number, time.time()))


def execute(run: Run, call: Call) -> Outcome:
    """Run a sync checkpoint's body until it succeeds or has used up its attempts."""
    assert call.spec is not None
    spec = call.spec
    given_up: threading.Event | None = None
    steps = attempts(run, call)
    reply: Outcome | None = None
    try:
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value
            reply = None
            if isinstance(step, Attempt):
                told_started(run, call, step.number)
                scope = checkpoint_scope(run, call, step.number)
                reply, given_up = run_sync_attempt(run, scope, lambda: _body(spec, call), spec.timeout)
            else:
                run.record_attempt(call, step.number, step.failed)
                pause(run, step.seconds)
                if given_up is not None:
                    given_up.wait()
    finally:
        run.runner.ended(run, call.call_id)


def _body(spec: CallSpec, call: Call) -> Any:
    result = spec.function(*call.args, **call.kwargs)
    if not spec.is_async:
        return result
    import asyncio

    return asyncio.run(result)


def pause(run: Run, seconds: float) -> None:
    """Wait between attempts; a cancellation ends it."""
    until = time.monotonic() + seconds
    with run.changed:
        while run.signal is None and (left := until - time.monotonic()) > 0:
            run.changed.wait(left)
    run.check_open()
