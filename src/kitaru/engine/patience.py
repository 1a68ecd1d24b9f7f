"""Rides out faults of the storage: a running execution goes on when the storage does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from kitaru.engine.backoff import Backoff
from kitaru.engine.signals import FlowSignal
from kitaru.errors import KitaruBackendError

T = TypeVar("T")

logger = logging.getLogger("kitaru")

PATIENCE_SECONDS = 300.0
PAUSES = Backoff(initial=0.05, multiplier=2, maximum=1.6)
POLL_SECONDS = 0.1

# Done twice these do something else than done once: a lease is taken anew, an answer that came meanwhile is rejected.
# They are repeated only when the first call is known to have written nothing.
_ONCE = frozenset({"take", "reject"})


class Patience:
    """Repeats calls to the storage whose faults may pass, until they succeed or the patience has come to its end.

    ``who`` is what waits, as people are told. ``closed`` gives the signal that ends the waiting early, which is then
    raised. ``give_up`` turns the error that will not pass into what is raised in its place.

    Example:
        >>> patience = Patience("execution kr-0123456789abcdef")
        >>> patience.before({"a": 1}).get("a")
        1
    """

    def __init__(
        self,
        who: str,
        *,
        closed: Callable[[], FlowSignal | None] = lambda: None,
        give_up: Callable[[KitaruBackendError], BaseException] = lambda error: error,
    ) -> None:
        self._who = who
        self._closed = closed
        self._give_up = give_up
        self._lock = threading.Lock()
        self._waiting = 0
        self._since = 0.0

    def before(self, storage: T) -> T:
        """The same storage, its methods called with patience."""
        return cast("T", _Patient(storage, self))

    def call(self, method: Callable[..., T], *arguments: Any, once: bool = False, **named: Any) -> T:
        """Call ``method``; ``once``: when it may not be repeated after it has perhaps taken place."""
        try:
            return method(*arguments, **named)
        except KitaruBackendError as error:
            return self.repeat(method, arguments, named, error, once=once)

    def repeat(
        self,
        method: Callable[..., T],
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        error: KitaruBackendError,
        *,
        once: bool,
    ) -> T:
        """Call again what has just failed with ``error``."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        tries = 1
        waits = False
        try:
            while error.transient and not (once and error.unknown) and time.monotonic() < deadline:
                if not waits:
                    waits = True
                    self._begin(error)
                self._pause(PAUSES.seconds(tries))
                tries += 1
                signal = self._closed()
                if signal is not None:
                    raise signal from error
                try:
                    answer = method(*arguments, **named)
                except KitaruBackendError as again:
                    error = again
                else:
                    self._end(succeeded=True)
                    waits = False
                    return answer
            final = self._give_up(error)
            if final is error:
                raise error
            raise final from error
        finally:
            if waits:
                self._end(succeeded=False)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._closed() is None and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS))

    def _begin(self, error: KitaruBackendError) -> None:
        with self._lock:
            self._waiting += 1
            if self._waiting > 1:
                return
            self._since = time.monotonic()
        logger.warning(
            "kitaru: %s waits for its storage, for up to %g s: %s", self._who, PATIENCE_SECONDS, error
        )

    def _end(self, *, succeeded: bool) -> None:
        with self._lock:
            self._waiting -= 1
            last = not self._waiting
            lasted = time.monotonic() - self._since
        if last and succeeded:
            logger.warning("kitaru: %s goes on: its storage is back after %.1f s", self._who, lasted)


class _Patient:
    """Stands before a storage. Each method is looked up once and kept, so that a call costs next to nothing more."""

    def __init__(self, storage: Any, patience: Patience) -> None:
        self._storage = storage
        self._patience = patience

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._storage, name)
        if not callable(found):
            # Parts of a store that are made on first use; all else is plain data.
            return self._patience.before(found) if name in ("memory", "reads", "registry") else found
        repeat, once = self._patience.repeat, name in _ONCE

        def patient(*arguments: Any, **named: Any) -> Any:
            try:
                return found(*arguments, **named)
            except KitaruBackendError as error:
                return repeat(found, arguments, named, error, once=once)

        setattr(self, name, patient)
        return patient
