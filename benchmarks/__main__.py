"""Kitaru beside its peers, in one run on one machine: ``python -m benchmarks``.

Each measurement is made by a fresh process on a fresh store. The systems take turns, and each line is shown as the
median and the spread of its repetitions. The figures go to standard output as Markdown, the progress to standard error.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sqlite3
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata

from benchmarks.lines import LINES, QUICK, SLOW, Line, Sizes
from benchmarks.measuring import Bench, NotMeasuredError, process_seconds
from benchmarks.servers import Databases, server

Cells = dict[str, dict[str, list[float] | str]]
"""Row -> system -> the repetitions, or why there are none."""


@dataclass(frozen=True)
class Competitor:
    """A column: a module of ``benchmarks.systems`` and the distribution that it measures."""

    title: str
    module: str
    needs: str
    stores: tuple[str, ...] = ("sqlite", "postgres")
    without: tuple[str, ...] = ()
    slow: bool = False


SYSTEMS = (
    Competitor("raw commits", "raw", "sqlite3"),
    Competitor("Kitaru", "kitaru_flows", "kitaru"),
    Competitor("DBOS", "dbos_flows", "dbos"),
    Competitor("LangGraph", "langgraph_flows", "langgraph"),
    Competitor("Absurd", "absurd_flows", "absurd_sdk", ("postgres",)),
    # It does not go on with a flow whose process died: the flow is run again, against cached results.
    Competitor("Prefect", "prefect_flows", "prefect", ("sqlite",), ("recovery", "journal"), slow=True),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print Markdown."""
    given = _parsed(arguments)
    sizes = QUICK if given.quick else Sizes()
    systems = [one for one in SYSTEMS if not given.systems or one.module.split("_")[0] in given.systems]
    missing = [one for one in systems if importlib.util.find_spec(one.needs) is None]
    systems = [one for one in systems if one not in missing]
    for one in missing:
        _say(f"{one.title} is not installed and is left out; `make bench` installs it.")
    lines = [line for line in LINES if not given.lines or line.name in given.lines]
    print(
        f"{_machine()}\n\n{_versions(systems)}\n\n{given.rounds} repetitions in turn, median (lowest to highest)."
    )
    with ExitStack() as stack:
        for store in given.stores:
            databases = stack.enter_context(server(given.postgres)) if store == "postgres" else None
            _compare(store, databases, systems, lines, sizes, given.rounds)
    if not given.lines or "cold" in given.lines:
        _imports(given.rounds)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each line (default: 5)")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works")
    parser.add_argument("--lines", nargs="+", choices=[line.name for line in LINES], help="only these")
    names = [one.module.split("_")[0] for one in SYSTEMS]
    parser.add_argument("--systems", nargs="+", choices=names, help="only these")
    stores = ["sqlite", "postgres"]
    parser.add_argument("--stores", nargs="+", choices=stores, default=stores, help="only these")
    parser.add_argument(
        "--postgres", metavar="URL", help="a database of a server to use (default: start one)"
    )
    return parser.parse_args(arguments)


def _compare(
    store: str,
    databases: Databases | None,
    systems: list[Competitor],
    lines: list[Line],
    sizes: Sizes,
    rounds: int,
) -> None:
    columns = [one for one in systems if store in one.stores]
    cells: Cells = {}
    for turn in range(rounds):
        for line in lines:
            if turn < line.most:
                for one in columns:
                    if _takes_part(one, line):
                        _say(f"{store}, turn {turn + 1} of {rounds}: {line.name}, {one.title}")
                        bench = Bench(one.module, store, databases)
                        _measure(bench, line, SLOW if one.slow else sizes, one.title, cells)
    settings = f"SQLite {sqlite3.sqlite_version}" if databases is None else databases.settings()
    print(f"\n### {settings}\n")
    titles = [one.title for one in columns]
    print(f"| | {' | '.join(titles)} |\n|---|{'---:|' * len(titles)}")
    for row, found in cells.items():
        print(f"| {row} | {' | '.join(_shown(found.get(title)) for title in titles)} |")
    sys.stdout.flush()


def _takes_part(one: Competitor, line: Line) -> bool:
    if one.module == "raw":
        return line.floor
    return line.name not in one.without and (not line.only or one.module in line.only)


def _measure(bench: Bench, line: Line, sizes: Sizes, title: str, cells: Cells) -> None:
    try:
        found = line.measure(bench, sizes)
    except NotMeasuredError as reason:
        _say(f"  {title}: {reason}")
        cells.setdefault(line.name, {})[title] = str(reason)
        return
    for row, value in found.items():
        values = cells.setdefault(row, {}).setdefault(title, [])
        if isinstance(values, list):
            values.append(value)


def _shown(values: list[float] | str | None) -> str:
    if values is None:
        return "–"
    if isinstance(values, str):
        return values
    middle = _number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _imports(rounds: int) -> None:
    empty, pydantic, kitaru = (
        [process_seconds(code) for _ in range(rounds)]
        for code in ("pass", "import pydantic", "import kitaru")
    )
    print("\n### Imports\n\n| process | s |\n|---|---:|")
    for name, values in (("`pass`", empty), ("`import pydantic`", pydantic), ("`import kitaru`", kitaru)):
        print(f"| {name} | {_shown(values)} |")


def _machine() -> str:
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _versions(systems: list[Competitor]) -> str:
    named = {"absurd_sdk": "absurd-sdk"}
    found = [one for one in systems if one.module != "raw"]
    return ", ".join(f"{one.title} {metadata.version(named.get(one.needs, one.needs))}" for one in found)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
