"""The event loop that model calls of this process run on, whichever thread or loop makes them.

There is one, so that connections to providers are pooled and no HTTP client meets another loop than its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from kitaru.errors import KitaruUsageError

T = TypeVar("T")

POLL_SECONDS = 0.2

_lock = threading.Lock()
_loop: tuple[int, asyncio.AbstractEventLoop] | None = None


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        # A forked child has the loop's memory, and not its thread.
        if _loop is None or _loop[0] != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="kitaru model calls", daemon=True).start()
            _loop = (os.getpid(), loop)
        return _loop[1]


def _submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    return asyncio.run_coroutine_threadsafe(work, _running_loop())


def run_blocking(work: Coroutine[Any, Any, T]) -> T:
    """The outcome of ``work``. A signal raised in this thread meanwhile cancels it.

    Raises:
        KitaruUsageError: on that loop itself, which would wait for itself.
    """
    if asyncio._get_running_loop() is _running_loop():
        work.close()
        raise KitaruUsageError(
            "A model is asked from code that runs on the event loop for model calls, an async tool of an agent for "
            "example, in a way that blocks it. Await it there: `await kitaru.aio.llm(…)`, `await agent.run(…)`."
        )
    future = _submit(work)
    try:
        # Signals are raised between bytecodes: a wait without end would never come to one.
        while not wait([future], POLL_SECONDS).done:
            pass
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def run_awaiting(work: Coroutine[Any, Any, T]) -> T:
    """The outcome of ``work``, awaited on another loop; cancelling this cancels it."""
    return await asyncio.wrap_future(_submit(work))
