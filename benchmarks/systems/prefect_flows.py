"""Prefect, with its results persisted, on the server that it starts for itself."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.task import Steps, System, Task


class PrefectFlows(System):
    def __init__(self, task: Task, steps: Steps) -> None:
        super().__init__(task, steps)
        os.environ["PREFECT_HOME"] = task.folder
        os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
        os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
        os.environ["DO_NOT_TRACK"] = "1"
        from prefect import flow
        from prefect import task as checkpoint

        @checkpoint(persist_result=True)
        def step(number: int) -> Any:
            return steps.body(number)

        @flow(persist_result=True)
        def sequence(count: int) -> int:
            for number in range(count):
                step(number)
            return count

        self._sequence = sequence

    def run(self, steps: int) -> None:
        self._sequence(steps)

    def many(self) -> float:
        self._sequence(1)  # its server starts with the first flow: that is the cold start's line
        began = time.perf_counter()
        with ThreadPoolExecutor(self.task.concurrency) as pool:
            list(pool.map(self._sequence, [self.task.steps] * self.task.executions))
        return time.perf_counter() - began


def make(task: Task, steps: Steps) -> System:
    """SQLite: WAL, synchronous=NORMAL (its own setting): a commit may be lost with the power."""
    return PrefectFlows(task, steps)
