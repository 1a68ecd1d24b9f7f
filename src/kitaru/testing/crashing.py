"""Kills a flow before and after every commit, in turn, and tells whether it always ends the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic_core import to_jsonable_python

from kitaru.errors import KitaruUsageError
from kitaru.flows import Flow
from kitaru.runners.entrypoint import describe_entrypoint
from kitaru.testing.cases import End, Plan, packed
from kitaru.testing.faults import Action, Crossing, Fault, read_crossings
from kitaru.testing.lives import CROSSINGS, END

SHOWN = 10


class CrashFindings(AssertionError):
    """A death changed what a flow gave, or repeated what must not be repeated."""


@dataclass(frozen=True, slots=True)
class CrashReport:
    """What ``crash_everywhere`` did.

    Attributes:
        result: the preview of the result, or the failure, that every run ended with.
        boundaries: the commits of an undisturbed run, in order.
        runs: how many runs there were beside it.
        deaths: how many processes died.
    """

    result: str
    boundaries: list[str]
    runs: int
    deaths: int
    findings: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        return f"{self.runs} runs over {len(self.boundaries)} commits, {self.deaths} deaths: {self.result}"


def crash_everywhere(
    flow: Flow[..., Any],
    *args: Any,
    answers: Mapping[str, Any] | None = None,
    database_url: str | None = None,
    actions: Sequence[Action] = ("die",),
    **kwargs: Any,
) -> CrashReport:
    """Run a flow once undisturbed, then once for each of its commits, killed just before it, and just after it.

    Each death is a SIGKILL of a real process; another process goes on from what is recorded, on a durable store. Waits
    are answered from ``answers``, sleeps are skipped. A question whether an effect happened is answered by whether its
    outcome had come as far as a commit; effects that run side by side may be cut off earlier, and need a ``reconcile``.

    Args:
        flow: a flow at a module's or a script's top level.
        *args: its arguments.
        answers: wait name or id -> the answer.
        database_url: a PostgreSQL database to run on; default: a fresh SQLite database for each run.
        actions: what happens at each boundary: ``"die"``; ``"error"``: the store fails; ``"delay"``: it is slow.
        **kwargs: keyword arguments of the flow.

    Returns:
        What was done.

    Raises:
        CrashFindings: an ``AssertionError``: another result than the undisturbed run's, a recorded checkpoint that ran
            again, an effect that was done twice, or a run that did not end; each with the commit and the moment.
        KitaruUsageError: for a flow that other processes cannot load.

    Example:
        >>> # def test_survives_everything():
        >>> #     crash_everywhere(review, "Durable agents", answers={"approve": True})
    """
    entry = describe_entrypoint(flow.__kitaru_function__)
    if entry.kind == "none":
        raise KitaruUsageError(f"Other processes cannot load flow {flow.name!r}: {entry.reason}")
    with TemporaryDirectory(prefix="kitaru-crash-") as name:
        folder = Path(name)
        plan = Plan(
            entry.to_json(),
            packed((args, kwargs)),
            to_jsonable_python(dict(answers or {})),
            database_url,
            [None],
        )
        calm = folder / "calm"
        _run(plan, calm, 1)
        expected = End.read(calm / "case-0" / END)
        if expected.status == "not ended":
            raise CrashFindings(f"Flow {flow.name!r} does not end even when nothing dies: {expected.outcome}")
        crossed = [c for c in read_crossings(calm / "case-0" / CROSSINGS) if c.moment == "before"]
        faults: list[Fault | None] = [
            Fault(crossing.number, moment, action)
            for action in actions
            for crossing in crossed
            for moment in ("before", "after")
        ]
        rough = folder / "rough"
        _run(
            Plan(plan.entrypoint, plan.arguments, plan.answers, database_url, faults),
            rough,
            os.cpu_count() or 1,
        )
        findings: list[str] = []
        deaths = 0
        for number, fault in enumerate(faults):
            assert fault is not None
            case = rough / f"case-{number}"
            crossings = read_crossings(case / CROSSINGS)
            end = End.read(case / END)
            deaths += fault.action == "die" and _reached(crossings, fault)
            findings += [
                f"{fault.action} {fault.moment} commit {fault.number} ({_named(crossings, fault)}): {told}"
                for told in _findings(expected, end, crossings)
            ]
        report = CrashReport(expected.outcome, [c.boundary for c in crossed], len(faults), deaths, findings)
    if findings:
        more = f"\nand {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
        raise CrashFindings("\n".join([f"Flow {flow.name!r}: {report}", *findings[:SHOWN]]) + more)
    return report


def _run(plan: Plan, folder: Path, processes: int) -> None:
    """Let processes run the cases of a plan, shared out among them."""
    folder.mkdir(parents=True)
    plan.write(folder / "plan.json")
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "kitaru.testing.lives", str(folder), str(first), str(processes)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for first in range(processes)
    ]
    told = [process.communicate()[0] for process in running]
    for process, output in zip(running, told, strict=True):
        if process.returncode:
            raise CrashFindings(f"the process that runs the flow failed:\n{output}")


def _reached(crossings: list[Crossing], fault: Fault) -> bool:
    return any((c.number, c.moment) == (fault.number, fault.moment) for c in crossings)


def _named(crossings: list[Crossing], fault: Fault) -> str:
    return next((c.boundary for c in crossings if c.number == fault.number), "not reached")


def _findings(expected: End, end: End, crossings: list[Crossing]) -> list[str]:
    found: list[str] = []
    if (end.status, end.digest) != (expected.status, expected.digest):
        found.append(
            f"it ended {end.status} with {end.outcome}, not {expected.status} with {expected.outcome}"
        )
    recorded: dict[str, int] = {}
    done: dict[str, set[int]] = {}
    for crossing in crossings:
        for call in crossing.calls:
            # The same process only repeats a commit that failed.
            if crossing.moment == "before" and recorded.get(call, crossing.pid) != crossing.pid:
                found.append(f"checkpoint {call} ran again after it was recorded")
            if crossing.moment == "after":
                recorded[call] = crossing.pid
        for call, form in crossing.effects.items():
            if form["policy"] != "retry":
                done.setdefault(call, set()).add(crossing.pid)
    found += [f"effect {call} was done {len(pids)} times" for call, pids in done.items() if len(pids) > 1]
    return found
