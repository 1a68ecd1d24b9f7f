"""Faults planted at commit boundaries, and the record of the boundaries that an execution crossed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from kitaru.engine.boundaries import Boundary, Moment
from kitaru.engine.vault import Vault
from kitaru.errors import KitaruBackendError
from kitaru.store.records import Append, CallRecord, JsonDict

Action = Literal["die", "error", "delay"]

DELAY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: at the ``number``-th boundary that the execution crosses in all its lives (1, 2, …).

    ``die``: this process ends by SIGKILL. ``error``: the store fails, before the commit or after it (the commit took
    place and nobody was told). ``delay``: the commit takes 0.2 s longer.
    """

    number: int
    moment: Moment
    action: Action = "die"

    def happen(self, boundary: Boundary) -> None:
        """Let it go wrong."""
        if self.action == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action == "error":
            raise KitaruBackendError(
                f"a fault was planted {self.moment} {boundary}",
                transient=True,
                unknown=self.moment == "after",
            )
        time.sleep(DELAY_SECONDS)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A boundary that was reached (``before``) or passed (``after``).

    ``calls``: the checkpoints (``execution/call``) that it commits. ``effects``: what effects gave, by checkpoint, when
    their bodies ran in this very process (``pid``).
    """

    pid: int
    number: int
    moment: Moment
    boundary: str
    calls: list[str]
    effects: dict[str, JsonDict]


class CrossingLog:
    """The crossings of one execution over all its lives, in a file, and the fault that waits on one of them."""

    def __init__(self, file: Path, vault: Vault | None = None, fault: Fault | None = None) -> None:
        self._file = file
        self._vault = vault
        self._fault = fault
        self._lock = threading.Lock()
        self._number = max((crossing.number for crossing in read_crossings(file)), default=0)
        self._numbers: dict[int, int] = {}

    def watch(self, boundary: Boundary, moment: Moment, args: tuple[Any, ...]) -> None:
        """Note a crossing; then let the planted fault happen."""
        with self._lock:
            me = threading.get_ident()
            if moment == "before":
                self._number += 1
                self._numbers[me] = self._number
            number = self._numbers[me]
            calls = list(args[0].calls) if isinstance(args[0], Append) else []
            done = {f"{args[0].exec_id}/{call.call_id}": call for call in calls if call.kind == "checkpoint"}
            effects = {name: form for name, call in done.items() if (form := self._effect(call)) is not None}
            crossing = Crossing(os.getpid(), number, moment, str(boundary), list(done), effects)
            with self._file.open("a") as file:
                file.write(json.dumps(asdict(crossing)) + "\n")
        fault = self._fault
        if fault is not None and (fault.number, fault.moment) == (number, moment):
            fault.happen(boundary)

    def _effect(self, call: CallRecord) -> JsonDict | None:
        info = call.info or {}
        if "effect" not in info or "learnt" in info or call.status != "completed":
            return None
        from pydantic_core import to_jsonable_python

        assert self._vault is not None
        value = None if call.output is None else self._vault.get(call.output)
        return {"policy": info["effect"], "result": to_jsonable_python(value)}


def read_crossings(file: Path) -> list[Crossing]:
    """The crossings noted so far, in order."""
    if not file.exists():
        return []
    return [Crossing(**json.loads(line)) for line in file.read_text().splitlines()]
