"""Sequential and parallel checkpoints against raw one-row commits, in one run on one machine.

Every line is repeated, in turn with its floor, and shown as median and spread. ``--postgres URL`` adds PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import raw

LINES = ("sequential", "mapped", "gathered")
ONE_LINE = "import sys; from benchmarks import flows; print(getattr(flows, sys.argv[1]).run(int(sys.argv[2])).wait())"


def measured(line: str, number: int, folder: Path, url: str) -> float:
    """Seconds a checkpoint of one flow, in a process of its own on a fresh state."""
    environment = {**os.environ, "KITARU_CONFIG_PATH": str(folder / "home"), "KITARU_DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-c", ONE_LINE, line, str(number)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


def told(name: str, samples: list[float], floor: float) -> str:
    """One row of the table; times in microseconds."""
    middle = statistics.median(samples)
    low, high = min(samples) * 1e6, max(samples) * 1e6
    return f"| {name} | {middle * 1e6:.0f} | {low:.0f} to {high:.0f} | {1 / middle:,.0f} | {middle / floor:.2f} |"


def compare(store: str, floor: Callable[[], float], url: Callable[[], str], number: int, rounds: int) -> None:
    """Measure one store's lines in turn with its floor, and print the table."""
    floors: list[float] = []
    samples: dict[str, list[float]] = {line: [] for line in LINES}
    for _ in range(rounds):
        floors.append(floor())
        for line in LINES:
            with tempfile.TemporaryDirectory() as folder:
                samples[line].append(measured(line, number, Path(folder), url()))
    middle = statistics.median(floors)
    print(f"\n{store}\n\n| line | µs each | spread | each second | times the raw commit |")
    print("|---|---:|---:|---:|---:|")
    print(told("raw one-row commits, one connection", floors, middle))
    for line in LINES:
        print(told(f"{line} checkpoints", samples[line], middle))


def main() -> None:
    """Run and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--number", type=int, default=2000, help="checkpoints a flow (default: 2000)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each line (default: 5)")
    parser.add_argument("--postgres", metavar="URL", help="a database to measure PostgreSQL on")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores")
    print(f"{given.number} checkpoints a flow, {given.rounds} rounds in turn, median and spread")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        databases = (f"sqlite:///{place}/kitaru-{index}.db" for index in range(10_000))
        compare(
            "SQLite: WAL, synchronous=FULL, for both",
            lambda: raw.sqlite_commits(place, given.number),
            lambda: next(databases),
            given.number,
            given.rounds,
        )
    if given.postgres:
        compare(
            "PostgreSQL: fsync and synchronous_commit on, for both",
            lambda: raw.postgres_commits(given.postgres, given.number),
            lambda: given.postgres,
            given.number,
            given.rounds,
        )


if __name__ == "__main__":
    main()
