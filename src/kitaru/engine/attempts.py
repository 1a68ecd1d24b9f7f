"""Attempts of one call: run, fail, wait, run again. The loop is shared; the driver here is for sync bodies."""

from __future__ import annotations

import inspect
import threading
import time
from typing import Any

from kitaru.engine.bodies import run_sync_attempt
from kitaru.engine.calls import Call, CallSpec, Outcome, idempotency_key
from kitaru.engine.effects import effect_attempts
from kitaru.engine.run import Run, checkpoint_scope
from kitaru.engine.steps import Ask, Attempt, Intend, Reconcile, Retry, Step, Steps
from kitaru.store.records import CallRecord, StartRecord


def attempts(run: Run, call: Call) -> Steps:
    """What to do next, until the last outcome. Attempts that failed before a crash count."""
    assert call.spec is not None
    if call.spec.effect is not None:
        return (yield from effect_attempts(run, call))
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
            elif isinstance(step, Retry):
                run.record_attempt(call, step.number, step.failed)
                pause(run, step.seconds)
                if given_up is not None:
                    given_up.wait()
            else:
                reply = _take_step(run, call, step)
    finally:
        run.runner.ended(run, call.call_id)


def _take_step(run: Run, call: Call, step: Step) -> Outcome | None:
    """The steps that only effects take."""
    if isinstance(step, Intend):
        run.intend(call, step.number)
        return None
    if isinstance(step, Ask):
        return answered(run, run.ask(step.pending))
    assert isinstance(step, Reconcile)
    scope = checkpoint_scope(run, call, step.number)
    return run_sync_attempt(run, scope, lambda: reconciled(run, call), None)[0]


def answered(run: Run, record: CallRecord) -> Outcome:
    """What a person said, or the exception of a question that was aborted."""
    try:
        return Outcome(run.deliver(record))
    except Exception as error:
        return Outcome(error=error)


def reconciled(run: Run, call: Call) -> Any:
    """What the outside system knows of an effect; an async ``reconcile`` is run to its end."""
    assert call.spec is not None
    assert call.spec.effect is not None
    assert call.spec.effect.reconcile is not None
    found = call.spec.effect.reconcile(idempotency_key(run.exec_id, call.call_id))
    return _run_to_end(found) if inspect.isawaitable(found) else found


def _body(spec: CallSpec, call: Call) -> Any:
    result = spec.function(*call.args, **call.kwargs)
    return _run_to_end(result) if spec.is_async else result


def _run_to_end(coroutine: Any) -> Any:
    import asyncio

    return asyncio.run(coroutine)


def pause(run: Run, seconds: float) -> None:
    """Wait between attempts; a cancellation ends it."""
    if not run.runner.in_real_time:
        seconds = 0.0
    until = time.monotonic() + seconds
    with run.changed:
        while run.signal is None and (left := until - time.monotonic()) > 0:
            run.changed.wait(left)
    run.check_open()
