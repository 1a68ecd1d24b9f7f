"""Kills executions at random moments: ``python -m tests.testing.random_kills FOLDER KILLS SEED [DATABASE_URL]``."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any, cast

from kitaru.flows import Flow
from kitaru.runners.entrypoint import describe_entrypoint
from kitaru.testing.cases import Plan, packed
from kitaru.testing.faults import Crossing, read_crossings
from kitaru.testing.lives import CROSSINGS, Case
from tests.testing import everything

ANSWERS = {"approve": True, "first": 1, "second": 2}
KILLS_A_CASE = 10
WITHOUT_PROGRESS = 3
LONGEST_SECONDS = 0.12


class Killer:
    """Kills each life of a case after a random time, but leaves one alone after three that recorded nothing."""

    def __init__(self, crossings: Path, left: int, dice: random.Random) -> None:
        self._crossings = crossings
        self._left = left
        self._dice = dice
        self._idle = 0
        self._passed = 0
        self.kills = 0

    def __call__(self, pid: int) -> int:
        passed = sum(_adds_a_record(crossing) for crossing in read_crossings(self._crossings))
        self._idle = 0 if passed > self._passed else self._idle + 1
        self._passed = passed
        if self.kills < min(self._left, KILLS_A_CASE) and self._idle < WITHOUT_PROGRESS:
            time.sleep(self._dice.uniform(0, LONGEST_SECONDS))
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        self.kills += os.WIFSIGNALED(status)
        return status


def _adds_a_record(crossing: Crossing) -> bool:
    """What counts as progress for the limit on deaths in a loop."""
    method, *what = crossing.boundary.split()
    return (
        crossing.moment == "after"
        and method == "append"
        and what[0] not in ("intent", "attempt", "input", "timer")
    )


def main(folder: Path, kills: int, seed: int, url: str | None) -> None:
    """Go through both flows, case by case, until so many processes were killed; print the ends as JSON lines."""
    dice = random.Random(seed)
    number = done = 0
    while done < kills:
        flow = cast("Flow[..., Any]", (everything.everything, everything.everything_async)[number % 2])
        entry = describe_entrypoint(flow.__kitaru_function__)
        plan = Plan(entry.to_json(), packed((("charge-1",), {})), ANSWERS, url, [None])
        case = folder / f"case-{number}"
        killer = Killer(case / CROSSINGS, kills - done, dice)
        end = Case(plan, flow, case, None, killer).run()
        done += killer.kills
        number += 1
        told = {
            "flow": flow.name,
            "status": end.status,
            "outcome": end.outcome,
            "kills": killer.kills,
            "case": str(case),
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else None)
