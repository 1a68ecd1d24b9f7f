"""A clock that a test sets."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from kitaru.errors import KitaruUsageError

DEFAULT_START = datetime(2030, 1, 1, tzinfo=UTC)


class FakeClock:
    """What ``testing.run`` takes for the time: it stands still until it is advanced, or a flow sleeps.

    Example:
        >>> clock = FakeClock()
        >>> clock.advance(timedelta(hours=2))
        >>> clock.now().isoformat()
        '2030-01-01T02:00:00+00:00'
    """

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        self._lock = threading.Lock()
        self._seconds = _seconds(start)

    def __call__(self) -> float:
        """Seconds since the epoch (UTC)."""
        with self._lock:
            return self._seconds

    def now(self) -> datetime:
        """The moment that the clock shows, in UTC."""
        return datetime.fromtimestamp(self(), UTC)

    def advance(self, by: float | timedelta) -> None:
        """Let seconds, or a timedelta, pass. Raises ``KitaruUsageError`` for a negative one."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else float(by)
        if not seconds >= 0:
            raise KitaruUsageError(f"Time does not run backwards: {by!r}.")
        with self._lock:
            self._seconds += seconds

    def set(self, moment: datetime) -> None:
        """Show an aware moment, which is not before the present one."""
        self.advance(_seconds(moment) - self())


def _seconds(moment: datetime) -> float:
    if moment.tzinfo is None:
        raise KitaruUsageError(f"{moment!r} has no time zone: write datetime(…, tzinfo=UTC).")
    return moment.timestamp()
