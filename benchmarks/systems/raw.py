"""The floor: one-row commits by the drivers alone, on one connection, at the durability of the others."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from benchmarks.task import Steps, System, Task

ROW = "x" * 200


def make(task: Task, steps: Steps) -> System:
    """SQLite with WAL and synchronous=FULL, or PostgreSQL with its default synchronous_commit=on."""
    return RawPostgres(task, steps) if task.store == "postgres" else RawSqlite(task, steps)


class Raw(System):
    insert: str
    connection: Any

    def run(self, steps: int) -> None:
        for number in range(steps):
            value = self.steps.body(number) if self.task.size else ROW
            self.connection.execute(self.insert, (value,))

    def many(self) -> float:
        began = time.perf_counter()
        for _ in range(self.task.executions):
            self.run(self.task.steps)
        return time.perf_counter() - began

    def close(self) -> None:
        self.connection.close()


class RawSqlite(Raw):
    insert = "INSERT INTO rows (text) VALUES (?)"

    def __init__(self, task: Task, steps: Steps) -> None:
        super().__init__(task, steps)
        self.connection = sqlite3.connect(task.place / "raw.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT)")


class RawPostgres(Raw):
    insert = "INSERT INTO rows (text) VALUES (%s)"

    def __init__(self, task: Task, steps: Steps) -> None:
        import psycopg

        super().__init__(task, steps)
        self.connection = psycopg.connect(task.url, autocommit=True)
        self.connection.prepare_threshold = 0
        self.connection.execute("CREATE TABLE IF NOT EXISTS rows (id bigserial PRIMARY KEY, text text)")
