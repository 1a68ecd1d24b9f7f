"""Kitaru."""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kitaru
from benchmarks.task import Steps, System, Task
from kitaru.backend import backend

_steps: Steps


def _resumed() -> Steps:
    # A process that resumes loads this module alone: it finds the task where the first one left it.
    return Steps(Task(**json.loads(os.environ["BENCHMARK_TASK"])))


@kitaru.checkpoint
def step(number: int) -> Any:
    """One step."""
    return _steps.body(number)


@kitaru.flow
def sequence(steps: int) -> int:
    """Steps, one after the other."""
    for number in range(steps):
        step(number)
    return steps


class Kitaru(System):
    def run(self, steps: int) -> None:
        handle = sequence.run(steps)
        # What a user types after a crash.
        resume = [sys.executable, "-m", "kitaru.cli.entry", "executions", "resume", handle.exec_id]
        (self.task.place / "recovery.json").write_text(json.dumps(resume))
        handle.wait()

    def many(self) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(self.task.concurrency) as pool:
            list(pool.map(self._one, range(self.task.executions)))
        return time.perf_counter() - began

    def _one(self, _: int) -> int:
        return sequence.run(self.task.steps).wait()

    def close(self) -> None:
        backend().store.close()


def make(task: Task, steps: Steps) -> System:
    """SQLite: WAL, synchronous=FULL. PostgreSQL: synchronous_commit=on."""
    global _steps
    _steps = steps
    return Kitaru(task, steps)


if "BENCHMARK_TASK" in os.environ:
    _steps = _resumed()
