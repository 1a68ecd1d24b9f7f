"""Attempts of an async checkpoint's body, on the flow's loop but outside its branches."""

from __future__ import annotations

import asyncio
import time

from kitaru.engine.attempts import Attempt, attempts, told_started
from kitaru.engine.bodies import checkpoint_timeout
from kitaru.engine.calls import Call, Outcome
from kitaru.engine.run import Run, checkpoint_scope
from kitaru.engine.scope import CheckpointScope, current_scope


async def execute_async(run: Run, call: Call) -> Outcome:
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
            else:
                await loop.run_in_executor(
                    run.runner.committers, run.record_attempt, call, step.number, step.failed
                )
                await asyncio.sleep(step.seconds)
    finally:
        run.runner.ended(run, call.call_id)


async def _async_attempt(run: Run, call: Call, number: int) -> Outcome:
    assert call.spec is not None
    spec = call.spec
    scope: CheckpointScope = checkpoint_scope(run, call, number)
    current_scope.set(scope)
    outcome = Outcome(
        started_at=time.time(), metadata=scope.metadata, artifacts=scope.artifacts, blobs=scope.blobs
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
