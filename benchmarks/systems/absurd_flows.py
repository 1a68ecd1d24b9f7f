"""Absurd, on PostgreSQL."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

import psycopg
from absurd_sdk import Absurd
from absurdctl import BUNDLED_SCHEMA_SQL

from benchmarks.task import Steps, System, Task

QUEUE = "benchmark"
CLAIM_SECONDS = 2
"""After which a dead worker's task is taken over; its least useful setting, since a longer step must heartbeat."""


class AbsurdTasks(System):
    def __init__(self, task: Task, steps: Steps) -> None:
        super().__init__(task, steps)
        with psycopg.connect(task.url, autocommit=True) as connection:
            found = connection.execute("SELECT to_regclass('absurd.queues')").fetchone()
            if found == (None,):
                connection.execute(cast("Any", BUNDLED_SCHEMA_SQL))
        self._app = Absurd(task.url, queue_name=QUEUE)
        self._app.create_queue(QUEUE)
        self._left = task.executions
        self._lock = threading.Lock()

        @self._app.register_task(name="sequence")
        def sequence(params: Any, ctx: Any) -> int:
            for number in range(params["steps"]):
                ctx.step(f"step-{number}", lambda number=number: self.steps.body(number))
            with self._lock:
                self._left -= 1
                if not self._left:
                    self._app.stop_worker()
            return params["steps"]

    def run(self, steps: int) -> None:
        self._app.spawn("sequence", {"steps": steps})
        # No blocking step heartbeats: a short claim would run out beneath the last one before it is killed.
        self._app.work_batch(claim_timeout=CLAIM_SECONDS if self.task.line == "until_killed" else 120)

    def many(self) -> float:
        began = time.perf_counter()
        for _ in range(self.task.executions):
            self._app.spawn("sequence", {"steps": self.task.steps})
        self._app.start_worker(concurrency=self.task.concurrency, poll_interval=0.001)
        return time.perf_counter() - began

    def recover(self) -> None:
        self._app.start_worker(claim_timeout=CLAIM_SECONDS, poll_interval=0.01)

    def close(self) -> None:
        self._app.close()


def make(task: Task, steps: Steps) -> System:
    """PostgreSQL: synchronous_commit=on."""
    return AbsurdTasks(task, steps)
