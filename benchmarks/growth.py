"""Bytes on disk of an agent that passes and returns its whole message list: ``python -m benchmarks.growth``.

Each turn adds a message of 2 KiB of random letters, which no database can compress to much less. Then a process of its
own resumes the execution and compares what it reads back with what was said. Prints Markdown; ``--plot`` draws it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kitaru
from benchmarks.servers import Databases, server

MESSAGE_BYTES = 2048
SAMPLES = 20
TARGET = 3.0
"""Bytes on disk for a byte of the messages."""

Points = list[tuple[int, int]]
"""Turns, and bytes that they have added to the database."""


def message(number: int) -> dict[str, str]:
    """The message of a turn: 2 KiB as JSON, the same whenever it is asked for."""
    said = {"role": "assistant" if number % 2 else "user", "content": ""}
    room = MESSAGE_BYTES - len(json.dumps(said))
    said["content"] = "".join(random.Random(number).choices(string.ascii_letters + " ", k=room))
    return said


@kitaru.checkpoint
def turn(messages: list[Any]) -> list[Any]:
    """One more message."""
    return [*messages, message(len(messages))]


@kitaru.flow
def agent(turns: int) -> int:
    """Turns that each pass and return all that was said."""
    sample = int(os.environ["GROWTH_SAMPLE"])
    messages: list[Any] = []
    for number in range(turns):
        messages = turn(messages)
        if (number + 1) % sample == 0:
            print(json.dumps([number + 1, _database_bytes()]), flush=True)
    if kitaru.wait(name="resumed", schema=bool):
        assert messages == [message(number) for number in range(turns)], "another list came back"
    return len(messages)


def _database_bytes() -> int:
    url = os.environ["KITARU_DATABASE_URL"]
    if url.startswith("postgresql"):
        return Databases(url).size(url)
    import sqlite3

    # Pages of the database with those that are still in the log beside it.
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        return (
            connection.execute("PRAGMA page_count").fetchone()[0]
            * connection.execute("PRAGMA page_size").fetchone()[0]
        )


def measure(url: str, turns: int) -> tuple[Points, int, float]:
    """The growth, the bytes of all files after the process ended, and the seconds that the resume took."""
    with tempfile.TemporaryDirectory(prefix="kitaru-benchmark-") as folder:
        at = url or f"sqlite:///{folder}/kitaru.db"
        environment = os.environ | {
            "KITARU_DATABASE_URL": at,
            "KITARU_CONFIG_PATH": folder,
            "GROWTH_SAMPLE": str(max(1, turns // SAMPLES)),
        }
        empty = int(_process(environment, "empty")[0])
        exec_id, *samples = _process(environment, "run", str(turns))
        points = [(number, size - empty) for number, size in map(json.loads, samples)]
        whole = Databases(url).size(url) - empty if url else _files(Path(folder)) - empty
        return points, whole, float(_process(environment, "resume", exec_id)[0])


def _process(environment: dict[str, str], *task: str) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.growth", "--child", *task]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def _child(task: str, *what: str) -> None:
    client = kitaru.KitaruClient()
    if task == "empty":
        client.executions.list(limit=1)
        print(_database_bytes())
    elif task == "run":
        print(agent.run(int(what[0])).exec_id, flush=True)
    else:
        began = time.perf_counter()
        client.executions.input(what[0], value=True)
        while (found := client.executions.get(what[0])).status not in ("completed", "failed"):
            time.sleep(0.05)
        assert found.status == "completed", found.failure
        print(time.perf_counter() - began)


def _files(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both stores, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--turns", type=int, default=1000, help="turns of the agent (default 1000)")
    parser.add_argument(
        "--postgres", metavar="URL", help="a server to use; default: one from a wheel is started"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw the growth, as .svg or .png")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        _child(*given.child)
        return
    with server(given.postgres) as databases:
        measured = {
            "SQLite": measure("", given.turns),
            "PostgreSQL": measure(databases.create(), given.turns),
        }
    said = given.turns * MESSAGE_BYTES
    print(f"{given.turns:,} turns, {said:,} bytes of messages\n")
    print("| store | bytes on disk | times the messages | a turn, first half | second half | read back, s |")
    print("|---|---:|---:|---:|---:|---:|")
    for store, (points, whole, seconds) in measured.items():
        first, second = _halves(points)
        print(f"| {store} | {whole:,} | {whole / said:.2f} | {first:,.0f} | {second:,.0f} | {seconds:.1f} |")
    if given.plot:
        _plot({store: points for store, (points, *_) in measured.items()}, given.plot)


def _halves(points: Points) -> tuple[float, float]:
    middle = points[len(points) // 2 - 1]
    last = points[-1]
    return middle[1] / middle[0], (last[1] - middle[1]) / (last[0] - middle[0])


def _plot(grown: dict[str, Points], file: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for store, points in grown.items():
        axes.plot(
            [at for at, _ in points], [size / 2**20 for _, size in points], marker="o", ms=3, label=store
        )
    turns = [0, max(points[-1][0] for points in grown.values())]
    for times, style in ((1, ":"), (TARGET, "--")):
        line = [at * MESSAGE_BYTES * times / 2**20 for at in turns]
        axes.plot(turns, line, style, color="grey", label=f"{times:g} x the messages")
    axes.set(
        xlabel="turns",
        ylabel="MiB added to the database",
        title="An agent that passes its whole message list",
    )
    axes.legend()
    figure.savefig(file)


if __name__ == "__main__":
    main()
