"""The lines of the tables: what is measured, and in which unit it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measuring import Bench
from benchmarks.task import MIB


@dataclass(frozen=True)
class Sizes:
    """How much each line does."""

    steps: int = 1000
    executions: int = 32
    steps_each: int = 100
    large: int = 30
    killed: int = 20
    journal: int = 10_000
    long: int = 50_000


SLOW = Sizes(steps=100, executions=8, steps_each=4, large=10)
"""For a system that would take a quarter of an hour for the others' sizes."""

QUICK = Sizes(steps=200, executions=32, steps_each=10, large=5, killed=5, journal=500, long=2_000)

Measure = Callable[[Bench, Sizes], dict[str, float]]


@dataclass(frozen=True)
class Line:
    """A measurement that gives one row or several.

    ``most``: the most repetitions; long ones are not repeated as often. ``only``: the systems that it is for.
    ``floor``: the bare driver is measured too.
    """

    name: str
    measure: Measure
    most: int = 100
    only: tuple[str, ...] = ()
    floor: bool = False


def _sequential(bench: Bench, sizes: Sizes) -> dict[str, float]:
    one = bench.run(steps=1)
    found = bench.run(steps=sizes.steps)
    return {
        "sequential checkpoint, µs": found.seconds / sizes.steps * 1e6,
        "on disk a checkpoint, bytes": (found.disk - one.disk) / (sizes.steps - 1),
        "peak memory, MiB": found.peak / MIB,
    }


def _many(concurrency: int) -> Measure:
    def measure(bench: Bench, sizes: Sizes) -> dict[str, float]:
        found = bench.run(
            "many", steps=sizes.steps_each, executions=sizes.executions, concurrency=concurrency
        )
        return {
            f"checkpoints a second, {concurrency} at once": sizes.executions
            * sizes.steps_each
            / found.seconds
        }

    return measure


def _large(bench: Bench, sizes: Sizes) -> dict[str, float]:
    return {"checkpoint of 1 MiB, ms": bench.run(steps=sizes.large, size=MIB).seconds / sizes.large * 1e3}


def _cold(bench: Bench, sizes: Sizes) -> dict[str, float]:
    return {"process with one checkpoint, s": bench.run(steps=1, warm=True).process}


def _recovery(bench: Bench, sizes: Sizes) -> dict[str, float]:
    return {"from recovery to the next checkpoint, s": bench.recovery(sizes.killed)}


def _journal(bench: Bench, sizes: Sizes) -> dict[str, float]:
    return {f"the same after {sizes.journal:,} recorded ones, s": bench.recovery(sizes.journal + 1)}


def _long(bench: Bench, sizes: Sizes) -> dict[str, float]:
    small = bench.run(steps=sizes.long)
    large = bench.run(steps=sizes.long, size=4096)
    name = f"{sizes.long:,} checkpoints"
    return {
        f"{name}, s": small.seconds,
        f"{name}, peak memory, MiB": small.peak / MIB,
        f"{name} of 4 KiB, peak memory, MiB": large.peak / MIB,
    }


LINES = (
    Line("sequential", _sequential, floor=True),
    Line("many-1", _many(1), floor=True),
    Line("many-16", _many(16)),
    Line("large", _large, floor=True),
    Line("cold", _cold),
    Line("recovery", _recovery),
    Line("journal", _journal, most=1),
    Line("long", _long, most=1, only=("kitaru_flows",)),
)
