"""What ``.run()`` returns: an execution as its starter sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar, cast

from kitaru.backend import Backend
from kitaru.engine.execution import Session, stop_flows
from kitaru.engine.patience import PATIENCE_SECONDS
from kitaru.errors import KitaruBackendError, KitaruStateError
from kitaru.failures import result_of
from kitaru.store.records import Status

__all__ = ["FlowHandle"]

R = TypeVar("R")

FIRST_POLL = 0.02
LONGEST_POLL = 0.5


class FlowHandle(Generic[R]):
    """An execution that was started.

    Attributes:
        exec_id: its id, ``kr-…``.

    Example:
        >>> # handle = my_flow.run("x"); print(handle.exec_id, handle.wait())
    """

    def __init__(
        self,
        backend: Backend,
        exec_id: str,
        session: Session | None = None,
        go_on: Callable[[], Session | None] | None = None,
    ) -> None:
        self._backend = backend
        self.exec_id = exec_id
        self._session = session
        self._go_on = go_on
        self._out_since: float | None = None

    def __repr__(self) -> str:
        return f"<FlowHandle {self.exec_id}>"

    @property
    def status(self) -> Status:
        """The present status, read afresh."""
        return self._backend.store.status(self.exec_id)

    def get(self) -> R:
        """The result, without waiting.

        Raises:
            KitaruStateError: while the execution is unfinished.
            KitaruExecutionError: when it ended without a result.
        """
        execution = self._backend.store.execution(self.exec_id)
        if not execution.status.is_finished:
            raise KitaruStateError(
                f"Execution {self.exec_id} is {execution.status.value}. Use .wait() to wait for its result."
            )
        return cast("R", result_of(execution, self._backend.vault))

    def wait(self, timeout: float | None = None) -> R:
        """Block until the execution has ended, through suspensions; return its result.

        Args:
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: when it has not ended by then; it goes on.
            KitaruExecutionError: when it ended without a result.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = FIRST_POLL
        try:
            while not self._step():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(
                        f"execution {self.exec_id} has not ended within {timeout:g} s; it goes on"
                    )
                self._sleep(pause if left is None else min(pause, left))
                pause = min(pause * 1.5, LONGEST_POLL)
        except KeyboardInterrupt:
            if threading.current_thread() is threading.main_thread():
                stop_flows()
            raise
        return self.get()

    def until_suspended(self) -> None:
        """Block until this process has nothing more to do for the execution: it has ended, or waits."""
        if self._session is not None:
            self._session.ended.wait()

    def _step(self) -> bool:
        """True when it has ended. Goes on with it here when no other process could."""
        session = self._session
        if session is not None and not session.ended.is_set():
            return False
        if session is not None and session.storage_error is not None:
            raise session.storage_error
        finished = self._finished()
        if finished is not False:
            return finished is True
        if self._go_on is not None:
            self._session = self._go_on() or self._session
        return False

    def _finished(self) -> bool | None:
        """None while the storage does not say, which is no reason to end a program that waits."""
        try:
            finished = self.status.is_finished
        except KitaruBackendError as error:
            now = time.monotonic()
            self._out_since = self._out_since or now
            if not error.transient or now - self._out_since > PATIENCE_SECONDS:
                raise
            return None
        self._out_since = None
        return finished

    def _sleep(self, seconds: float) -> None:
        if self._session is not None and not self._session.ended.is_set():
            self._session.ended.wait(seconds)
        else:
            time.sleep(seconds)

    def __await__(self) -> Generator[Any, None, R]:
        return self._in_thread().__await__()

    async def _in_thread(self) -> R:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(None, self.wait)
