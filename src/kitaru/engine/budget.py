"""What an execution may spend on model calls, and what it has spent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from kitaru.engine.signals import BudgetExceeded

if TYPE_CHECKING:
    from kitaru.engine.run import Run


class Budget:
    """Asked before each model call of a run; calls side by side reserve what they may cost."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._reserved: dict[str, float] = {}
        self._limits: list[tuple[str, float]] | None = None

    def reserve(self, child_id: str, estimate: Callable[[], float | None]) -> None:
        """A model call is about to begin.

        Raises ``BudgetExceeded`` when it would begin above the budget of the execution, or of one that started it, with
        what was spent and what calls on their way have reserved.
        """
        limits = self._all_limits()
        if not limits:
            return
        with self._lock:
            reserved = sum(self._reserved.values())
            used = self._run.store.reads.usage([exec_id for exec_id, _ in limits])
            for exec_id, limit in limits:
                spent = used[exec_id]["cost_usd"] or 0.0
                if spent + reserved >= limit:
                    signal = BudgetExceeded(exec_id, limit, spent, reserved)
                    self._run.interrupt(signal)
                    raise signal
            self._reserved[child_id] = estimate() or 0.0

    def release(self, child_id: str) -> None:
        """The call has ended, or was given up."""
        with self._lock:
            self._reserved.pop(child_id, None)

    def _all_limits(self) -> list[tuple[str, float]]:
        if self._limits is None:
            limits: list[tuple[str, float]] = []
            row = self._run.execution
            while True:
                limit = row.spec.get("budget_usd")
                if limit is not None:
                    limits.append((row.exec_id, limit))
                if row.parent_exec_id is None:
                    break
                row = self._run.store.execution(row.parent_exec_id)
            self._limits = limits
        return self._limits
