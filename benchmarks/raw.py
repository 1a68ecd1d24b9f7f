"""The floor: one-row commits by the drivers alone, at the durability that Kitaru's stores use."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

ROW = "x" * 200


def sqlite_commits(folder: Path, number: int) -> float:
    """Seconds a one-row commit with WAL and synchronous=FULL."""
    connection = sqlite3.connect(folder / f"raw-{time.monotonic_ns()}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
    began = time.perf_counter()
    for _ in range(number):
        connection.execute("INSERT INTO rows (text) VALUES (?)", (ROW,))
    seconds = time.perf_counter() - began
    connection.close()
    return seconds / number


def postgres_commits(url: str, number: int) -> float:
    """Seconds a one-row commit on one connection, with the server's default synchronous_commit=on."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS raw_rows (id bigserial PRIMARY KEY, text text)")
        began = time.perf_counter()
        for _ in range(number):
            connection.execute("INSERT INTO raw_rows (text) VALUES (%s)", (ROW,), prepare=True)
        return (time.perf_counter() - began) / number
