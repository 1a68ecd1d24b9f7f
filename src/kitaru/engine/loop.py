"""The event loop of an async flow: it tells when it has nothing to do, and refuses timers in the flow's body."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any

from kitaru.engine.scope import FlowScope, current_scope
from kitaru.errors import KitaruUsageError


class IdleSelector(selectors.DefaultSelector):
    """A selector that asks ``on_idle`` before it would block.

    The loop selects with timeout 0 while callbacks are ready, and with another one when none is: that is the moment
    at which the flow can go no further by itself. ``on_idle`` returns True when it gave the loop something to do,
    else the most seconds to block (None: for ever).
    """

    def __init__(self, on_idle: Callable[[], bool | float | None]) -> None:
        super().__init__()
        self._on_idle = on_idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the base class, with ``on_idle`` asked first when the call would block."""
        if timeout is None or timeout > 0:
            more = self._on_idle()
            if more is True:
                timeout = 0
            elif more is not None and more is not False:
                timeout = more if timeout is None else min(timeout, more)
        return super().select(timeout)


class FlowLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers are refused in a flow's body, where they would not be durable."""

    def __init__(self, on_idle: Callable[[], bool | float | None]) -> None:
        super().__init__(IdleSelector(on_idle))

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As the base class; raises ``KitaruUsageError`` in a flow's body."""
        if isinstance(current_scope.get(), FlowScope):
            raise KitaruUsageError(
                "A timer of asyncio was started in a flow's body, where it would not survive a restart. Use "
                "`await kitaru.aio.sleep(seconds)` for a pause, `@checkpoint(timeout=…)` for a limit on a call, "
                "`expires=` for a limit on a wait; or put the code into a checkpoint."
            )
        return super().call_at(when, callback, *args, context=context)
