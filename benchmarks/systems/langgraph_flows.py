"""LangGraph's functional API."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from langgraph.func import entrypoint, task

from benchmarks.task import Steps, System, Task

_steps: Steps


@task
def step(number: int) -> Any:
    """One step."""
    return _steps.body(number)


class LangGraph(System):
    def __init__(self, task: Task, steps: Steps) -> None:
        super().__init__(task, steps)
        self._stack = ExitStack()
        saver = self._saver()
        saver.setup()

        @entrypoint(checkpointer=saver)
        def sequence(count: int) -> int:
            for number in range(count):
                step(number).result()
            return count

        self._sequence = sequence

    def _saver(self) -> Any:
        if self.task.store == "postgres":
            from langgraph.checkpoint.postgres import PostgresSaver
            from psycopg.rows import dict_row
            from psycopg_pool import ConnectionPool

            size = max(self.task.concurrency, 2)
            options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
            pool: Any = ConnectionPool(self.task.url, min_size=size, max_size=size, kwargs=options)
            return PostgresSaver(self._stack.enter_context(pool))
        from langgraph.checkpoint.sqlite import SqliteSaver

        self._connection = sqlite3.connect(self.task.place / "langgraph.db", check_same_thread=False)
        return SqliteSaver(self._connection)

    def _invoke(self, thread: str, given: int | None) -> None:
        config: Any = {"configurable": {"thread_id": thread}, "recursion_limit": 1_000_000}
        self._sequence.invoke(given, config, durability="sync")

    def run(self, steps: int) -> None:
        self._invoke(f"thread of {steps}", steps)

    def many(self) -> float:
        began = time.perf_counter()
        names = [f"thread-{number}" for number in range(self.task.executions)]
        with ThreadPoolExecutor(self.task.concurrency) as pool:
            list(pool.map(lambda name: self._invoke(name, self.task.steps), names))
        return time.perf_counter() - began

    def recover(self) -> None:
        self._invoke(f"thread of {self.task.steps}", None)

    def close(self) -> None:
        self._stack.close()
        if self.task.store == "sqlite":
            self._connection.close()


def make(task: Task, steps: Steps) -> System:
    """durability="sync". SQLite: WAL, synchronous=FULL. It may not wait for each task's own commit."""
    global _steps
    _steps = steps
    return LangGraph(task, steps)
