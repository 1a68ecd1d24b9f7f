"""Raises a cancellation in threads that are inside a checkpoint's body, and nowhere else."""

from __future__ import annotations

import ctypes
import threading
import time

from kitaru.engine.signals import Cancelled, FlowSignal, TimedOut


class Interruptible:
    """The threads that are inside a body now: the ones into which a cancellation may be raised."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: dict[int, bool] = {}

    def enter(self) -> None:
        """This thread starts a body."""
        with self._lock:
            self._inside[threading.get_ident()] = False

    def leave(self) -> None:
        """This thread has ended its body. A cancellation already sent is raised here at the latest."""
        with self._lock:
            sent = self._inside.pop(threading.get_ident(), False)
        if sent:
            # The exception is pending in this thread: let it surface here, not in the engine's own code.
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                pass

    def tell(self, signal: type[FlowSignal]) -> None:
        """Raise ``signal`` in every thread that is inside a body: seen at its next bytecode."""
        with self._lock:
            for thread_id, sent in self._inside.items():
                if not sent:
                    self._inside[thread_id] = True
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread_id), ctypes.py_object(signal)
                    )


class _Cancelled(Cancelled):
    def __init__(self) -> None:
        super().__init__("(this one)")


class _TimedOut(TimedOut):
    def __init__(self) -> None:
        super().__init__("(this one)", 0)


ASYNC_RAISABLE: dict[type[FlowSignal], type[FlowSignal]] = {Cancelled: _Cancelled, TimedOut: _TimedOut}
