"""Attempts of an async checkpoint's body, on the flow's loop but outside its branches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from kitaru.engine.attempts import answered, attempts, reconciled, told_started
from kitaru.engine.bodies import checkpoint_timeout, run_body
from kitaru.engine.calls import Call, Outcome
from kitaru.engine.run import Run, checkpoint_scope
from kitaru.engine.scope import CheckpointScope, current_scope
from kitaru.engine.steps import Ask, Attempt, Intend, Reconcile, Retry
from kitaru.engine.waiting import Pending
from kitaru.store.records import CallRecord

AskAsync = Callable[[Pending], Coroutine[Any, Any, CallRecord]]


async def execute_async(run: Run, call: Call, ask: AskAsync) -> Outcome:
    """Run an async checkpoint's body until it succeeds or has used up its attempts. Not on the flow's branch."""
    assert call.spec is not None
    loop = asyncio.get_running_loop()
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
                reply = await _async_attempt(run, call, step.number)
            elif isinstance(step, Retry):
                await loop.run_in_executor(
                    run.runner.committers, run.record_attempt, call, step.number, step.failed
                )
                await asyncio.sleep(step.seconds if run.runner.in_real_time else 0.0)
            elif isinstance(step, Intend):
                await loop.run_in_executor(run.runner.committers, run.intend, call, step.number)
            elif isinstance(step, Ask):
                reply = answered(run, await ask(step.pending))
            else:
                assert isinstance(step, Reconcile)
                scope = checkpoint_scope(run, call, step.number)
                reply = await asyncio.to_thread(run_body, run, scope, lambda: reconciled(run, call))
    finally:
        run.runner.ended(run, call.call_id)


async def _async_attempt(run: Run, call: Call, number: int) -> Outcome:
    assert call.spec is not None
    spec = call.spec
    scope: CheckpointScope = checkpoint_scope(run, call, number)
    current_scope.set(scope)
    outcome = Outcome(
        started_at=time.time(),
        metadata=scope.metadata,
        usage=scope.usage,
        artifacts=scope.artifacts,
        blobs=scope.blobs,
        links=scope.links,
    )
    limit = asyncio.timeout(spec.timeout)
    try:
        async with limit:
            outcome.value = await spec.function(*call.args, **call.kwargs)
    except Exception as error:
        outcome.error = error
        if limit.expired() and isinstance(error, TimeoutError) and spec.timeout is not None:
            outcome.error = checkpoint_timeout(call.name, spec.timeout)
    outcome.ended_at = time.time()
    return outcome
