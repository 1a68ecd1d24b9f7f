"""DBOS Transact."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS, DBOSConfig

from benchmarks.task import Steps, System, Task

_steps: Steps


@DBOS.step()
def step(number: int) -> Any:
    """One step."""
    return _steps.body(number)


@DBOS.workflow()
def sequence(steps: int) -> int:
    """Steps, one after the other."""
    for number in range(steps):
        step(number)
    return steps


class Dbos(System):
    def __init__(self, task: Task, steps: Steps) -> None:
        super().__init__(task, steps)
        url = task.url.replace("postgresql://", "postgresql+psycopg://")
        config: DBOSConfig = {
            "name": "benchmark",
            "system_database_url": url or f"sqlite:///{task.place / 'dbos.db'}",
            "log_level": "ERROR",
            # Recovery takes workflows of the same version and executor.
            "application_version": "1",
        }
        DBOS(config=config)
        DBOS.launch()

    def run(self, steps: int) -> None:
        sequence(steps)

    def many(self) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(self.task.concurrency) as pool:
            list(pool.map(sequence, [self.task.steps] * self.task.executions))
        return time.perf_counter() - began

    def recover(self) -> None:
        # DBOS.launch() has taken up what was pending.
        while not (self.task.place / "resumed").exists():
            time.sleep(0.001)

    def close(self) -> None:
        DBOS.destroy()


def make(task: Task, steps: Steps) -> System:
    """SQLite: journal_mode=DELETE, synchronous=FULL (its own settings). PostgreSQL: synchronous_commit=on."""
    global _steps
    _steps = steps
    return Dbos(task, steps)
