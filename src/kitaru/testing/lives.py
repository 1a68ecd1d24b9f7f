"""The processes of ``crash_everywhere``: ``python -m kitaru.testing.lives FOLDER FIRST STEP``.

This process loads the flow once and runs no flow itself: each life of an execution is a fork of it, so that a death is
that of a real process and costs no second start of the interpreter. It takes the cases FIRST, FIRST + STEP, … in turn.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from kitaru.backend import Backend, using
from kitaru.engine.boundaries import watched
from kitaru.engine.runner import Runner
from kitaru.engine.vault import Vault
from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.flows import Flow
from kitaru.runners.entrypoint import Entrypoint, load_function
from kitaru.store import open_store
from kitaru.store.protocol import Store
from kitaru.store.records import ExecutionRecord, JsonDict, WaitRecord
from kitaru.testing.cases import End, Plan, unpacked
from kitaru.testing.faults import CrossingLog, Fault, read_crossings
from kitaru.testing.running import answer_from
from kitaru.testing.surroundings import MANY, Surroundings

MAX_LIVES = 40
CROSSINGS = "crossings.jsonl"
END = "end.json"
OUTPUT = "output.txt"
STORE_FAILED = 75
FAILED = 70


class ShiftedClock:
    """The time, ahead by what a file says: all lives of a case see the sleeps that were skipped."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = float(file.read_text()) if file.exists() else 0.0

    def __call__(self) -> float:
        """Seconds since the epoch (UTC)."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Skip seconds."""
        self._ahead += seconds
        new = self._file.with_suffix(".new")
        new.write_text(repr(self._ahead))
        new.replace(self._file)


class Case:
    """One execution, run over as many lives as it takes, in a folder of its own.

    ``reap`` waits for the process of a life and gives its wait status; it may kill it first.
    """

    def __init__(
        self,
        plan: Plan,
        flow: Flow[..., Any],
        folder: Path,
        fault: Fault | None,
        reap: Callable[[int], int] = lambda pid: os.waitpid(pid, 0)[1],
    ) -> None:
        self._plan = plan
        self._flow = flow
        self._folder = folder
        self._fault = fault
        self._reap = reap
        self._key = str(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._url = plan.database_url or f"sqlite:///{folder / 'kitaru.db'}"
        self._clock = folder / "ahead.txt"

    def run(self) -> End:
        """Live until the execution has ended."""
        for lives in range(MAX_LIVES):
            with closing(open_store(self._url, clock=ShiftedClock(self._clock))) as store:
                row = self._find(store)
                if row is not None and row.status.is_finished:
                    return _end(row, lives)
            status = self._fork(self._start if row is None else self._go_on)
            if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) not in (0, STORE_FAILED):
                told = (self._folder / OUTPUT).read_text(errors="replace")
                return End("not ended", f"a process failed:\n{told}", "", lives + 1)
        return End("not ended", f"it had not ended after {MAX_LIVES} processes", "", MAX_LIVES)

    def _find(self, store: Store) -> ExecutionRecord | None:
        page, _ = store.reads.executions(flow=self._flow.name, limit=MANY)
        return next((row for row in page if row.idempotency_key == self._key), None)

    def _fork(self, live: Callable[[Backend, ShiftedClock], None]) -> int:
        child = os.fork()
        if child:
            return self._reap(child)
        code = FAILED
        try:
            output = os.open(self._folder / OUTPUT, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            for standard in (1, 2):
                os.dup2(output, standard)
            os.environ["KITARU_CONFIG_PATH"] = str(self._folder)
            clock = ShiftedClock(self._clock)
            backend = self._backend(clock)
            with using(backend):
                live(backend, clock)
            code = 0
        except KitaruBackendError:
            # Told to who started or answered: they try again.
            traceback.print_exc()
            code = STORE_FAILED
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _backend(self, clock: ShiftedClock) -> Backend:
        plain = open_store(self._url, clock=clock)
        objects = str(self._folder / "objects")
        log = CrossingLog(self._folder / CROSSINGS, Vault(plain, objects), self._fault)
        store = watched(plain, log.watch)
        vault = Vault(store, objects)
        runner = Runner(store, vault, self._folder / "runners", lambda _: None, clock=clock)
        return Backend(store, vault, runner, objects, detached=False)

    def _start(self, backend: Backend, clock: ShiftedClock) -> None:
        args, kwargs = unpacked(self._plan.arguments)
        self._flow.run(*args, **kwargs, idempotency_key=self._key).until_suspended()

    def _go_on(self, backend: Backend, clock: ShiftedClock) -> None:
        row = self._find(backend.store)
        assert row is not None
        Surroundings(backend, self._flow, self._answer, clock.advance).go_on(row.exec_id)

    def _answer(self, exec_id: str, wait: WaitRecord) -> tuple[bool, Any]:
        given, value = answer_from(self._plan.answers, wait)
        asked = (wait.metadata or {}).get("effect")
        if given or asked is None:
            return given, value
        # Every death is at a boundary: what an effect gave is known if it came as far as the next one.
        name = f"{exec_id}/{asked}"
        crossings = read_crossings(self._folder / CROSSINGS)
        done = [crossing.effects[name] for crossing in crossings if name in crossing.effects]
        answer: JsonDict = {"happened": False}
        if done:
            answer = {"happened": True, "result": done[-1]["result"]}
        return True, answer


def _end(row: ExecutionRecord, lives: int) -> End:
    if row.result is not None:
        shown = row.result.preview or (row.result.data or b"").decode(errors="replace")
        return End(row.status, shown, row.result.digest, lives)
    failure = row.failure or {}
    told = f"{failure.get('type')}: {failure.get('message')}".replace(row.exec_id, "kr-…")
    return End(row.status, told, told, lives)


def main(folder: Path, first: int, step: int) -> None:
    """Run this process's share of the cases."""
    plan = Plan.read(folder / "plan.json")
    flow = load_function(Entrypoint.from_json(plan.entrypoint))
    if not isinstance(flow, Flow):
        raise KitaruUsageError(f"{plan.entrypoint['qualname']} is not a flow.")
    found = cast("Flow[..., Any]", flow)
    for number in range(first, len(plan.faults), step):
        case = folder / f"case-{number}"
        Case(plan, found, case, plan.faults[number]).run().write(case / END)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
