"""What the attempts of a call ask of their driver, which is sync or async."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from kitaru.engine.calls import Outcome
from kitaru.engine.waiting import Pending


@dataclass(slots=True)
class Attempt:
    """Run this attempt's body and send its outcome."""

    number: int


@dataclass(slots=True)
class Retry:
    """Record the failed attempt, and wait."""

    failed: Outcome
    number: int
    seconds: float


@dataclass(slots=True)
class Intend:
    """Record that this attempt of an effect starts now."""

    number: int


@dataclass(slots=True)
class Reconcile:
    """Run the effect's ``reconcile`` and send its outcome."""

    number: int


@dataclass(slots=True)
class Ask:
    """Ask a person, suspending the flow if need be, and send the answer as an outcome."""

    pending: Pending


Step = Attempt | Retry | Intend | Reconcile | Ask
Steps = Generator[Step, Outcome | None, Outcome]
