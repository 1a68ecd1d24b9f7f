"""How long a long execution takes to be looked at: ``python -m benchmarks.reading``.

Two executions of 10,000 checkpoints, every second of which saves an artifact. What a client asks for is timed in a
process that has asked once before; no payload is loaded. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import kitaru
from benchmarks.servers import server

REPETITIONS = 9


@kitaru.checkpoint
def step(number: int, before: dict[str, Any]) -> dict[str, Any]:
    """Takes what the step before it gave."""
    return {"number": number, "text": "x" * 100}


@kitaru.checkpoint
def report(number: int) -> int:
    """Saves an artifact."""
    kitaru.save("report", {"number": number, "rows": list(range(50))}, type="context")
    return number


@kitaru.flow
def long(checkpoints: int) -> dict[str, Any]:
    """So many checkpoints."""
    before: dict[str, Any] = {}
    for number in range(checkpoints // 2):
        before = step(number, before)
        report(number)
    return before


def _child(checkpoints: int) -> None:
    handles = [long.run(checkpoints) for _ in range(2)]
    a, b = [handle.exec_id for handle in handles if handle.wait()]
    client = kitaru.KitaruClient()
    asked: dict[str, Callable[[], object]] = {
        "`executions.get`": lambda: client.executions.get(a),
        "`artifacts.list`": lambda: client.artifacts.list(a),
        "`artifacts.list`, the first 100 of a name": lambda: client.artifacts.list(a, "report", limit=100),
        "`artifacts.get`": lambda: client.artifacts.get(f"{a}/step#{checkpoints // 2}/output"),
        "`executions.diff`": lambda: client.executions.diff(a, b),
        "`artifacts.lineage`, all that led to the result": lambda: client.artifacts.lineage(f"{a}//result"),
    }
    for name, ask in asked.items():
        ask()
        print(json.dumps([name, [_milliseconds(ask) for _ in range(REPETITIONS)]]), flush=True)


def _milliseconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def _measure(url: str, checkpoints: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory(prefix="kitaru-benchmark-") as folder:
        environment = os.environ | {"KITARU_CONFIG_PATH": folder}
        if url:
            environment["KITARU_DATABASE_URL"] = url
        command = [sys.executable, "-m", "benchmarks.reading", "--child", "--checkpoints", str(checkpoints)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return dict(map(json.loads, done.stdout.splitlines()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both stores, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--checkpoints", type=int, default=10_000, help="of each execution (default 10000)")
    parser.add_argument(
        "--postgres", metavar="URL", help="a server to use; default: one from a wheel is started"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        _child(given.checkpoints)
        return
    with server(given.postgres) as databases:
        lite, postgres = _measure("", given.checkpoints), _measure(databases.create(), given.checkpoints)
    print(f"{given.checkpoints:,} checkpoints, median of {REPETITIONS} (lowest to highest), ms\n")
    print("| | SQLite | PostgreSQL |\n|---|---:|---:|")
    for name in lite:
        print(f"| {name} | {_cell(lite[name])} | {_cell(postgres[name])} |")


def _cell(times: list[float]) -> str:
    return f"{statistics.median(times):,.1f} ({min(times):,.1f} to {max(times):,.1f})"


if __name__ == "__main__":
    main()
