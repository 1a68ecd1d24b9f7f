"""One measurement, as it is handed to the process that makes it, and what every system's steps do."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MIB = 1 << 20
FOREVER = 3600


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        system: the module under ``benchmarks.systems``.
        store: ``sqlite`` or ``postgres``.
        url: the PostgreSQL database; empty for SQLite.
        folder: a fresh folder.
        line: ``run``, ``many``, ``until_killed`` or ``recover``.
        steps: steps an execution.
        size: bytes of each step's output; 0: a small dictionary.
        executions: how many of them, for ``many``.
        concurrency: how many at once, for ``many``.
    """

    system: str
    store: str
    url: str
    folder: str
    line: str
    steps: int = 1
    size: int = 0
    executions: int = 1
    concurrency: int = 1

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    @property
    def place(self) -> Path:
        """The folder."""
        return Path(self.folder)


class Steps:
    """The bodies of steps: the same for every system.

    While a file ``block`` stands in the folder, the last step of an execution blocks until its process is killed. When
    it is gone, the time at which the last step's body runs is noted in ``resumed``.
    """

    def __init__(self, task: Task) -> None:
        self._place = task.place
        self._last = task.steps - 1
        self._noted = task.line in ("until_killed", "recover")
        self._text = b64encode(os.urandom(task.size)).decode()[: task.size]

    def body(self, number: int) -> Any:
        """What a step returns: a small dictionary, or a text that no other step returned."""
        if self._noted and number == self._last:
            self._last_step()
        if not self._text:
            return {"number": number}
        # Turned a little further each time: no two are equal, and none is worth a compressor's while.
        turn = number % len(self._text)
        return self._text[turn:] + self._text[:turn]

    def _last_step(self) -> None:
        if (self._place / "block").exists():
            (self._place / "reached").touch()
            time.sleep(FOREVER)
        part = self._place / "resumed.part"
        part.write_text(repr(time.time()))
        part.rename(self._place / "resumed")


class System:
    """What is measured: made in a process of its own, once for each measurement."""

    def __init__(self, task: Task, steps: Steps) -> None:
        self.task = task
        self.steps = steps

    def run(self, steps: int) -> None:
        """Run one execution of so many steps, to its result."""
        raise NotImplementedError

    def many(self) -> float:
        """Run ``executions``, ``concurrency`` of them at once; the seconds for all."""
        raise NotImplementedError

    def recover(self) -> None:
        """Go on with the execution that was killed."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything, so that what is on disk is complete."""
