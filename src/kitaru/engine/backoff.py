"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter.

    Attributes:
        initial: seconds before the second attempt.
        multiplier: the factor from one attempt to the next.
        maximum: the longest wait, in seconds.
        jitter: the share by which each wait varies at random, so that many callers do not return at once:
            0.25 means between 75 % and 125 %.

    Example:
        >>> Backoff(initial=1, multiplier=2, maximum=10, jitter=0).seconds(3)
        4.0
    """

    initial: float = 0.5
    multiplier: float = 2.0
    maximum: float = 60.0
    jitter: float = 0.25

    def seconds(self, attempt: int) -> float:
        """Seconds to wait after attempt number ``attempt`` (1, 2, …) failed."""
        plain = min(self.initial * self.multiplier ** (attempt - 1), self.maximum)
        return plain * (1 + self.jitter * random.uniform(-1, 1))
