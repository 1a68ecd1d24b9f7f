"""Makes single measurements, each in a fresh process on a fresh store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.servers import Databases
from benchmarks.task import Task

DEADLINE = 180.0
"""Seconds that one measurement may take."""


class NotMeasuredError(Exception):
    """A measurement that could not be made; its text stands in the table."""


@dataclass(frozen=True)
class Measured:
    """What one process measured: seconds inside of it, seconds of the whole process, bytes of memory and disk."""

    seconds: float
    process: float
    peak: int
    disk: int


class Bench:
    """Measures one system on one store."""

    def __init__(self, system: str, store: str, databases: Databases | None) -> None:
        self.system = system
        self.store = store
        self._databases = databases

    @contextmanager
    def _place(self) -> Generator[Task]:
        url = self._databases.create() if self._databases and self.store == "postgres" else ""
        with tempfile.TemporaryDirectory(prefix="kitaru-benchmark-", ignore_cleanup_errors=True) as folder:
            yield Task(self.system, self.store, url, folder, "run")
        if url and self._databases:
            self._databases.drop(url)

    def run(self, line: str = "run", *, warm: bool = False, **options: int) -> Measured:
        """One execution, or ``many``. ``warm``: the second process on this store is measured, not the first."""
        with self._place() as place:
            task = replace(place, line=line, **options)
            if warm:
                self._once(task)
            return self._once(task)

    def recovery(self, steps: int) -> float:
        """Seconds from the start of the recovery to the body of the next step, after a SIGKILL in that step."""
        with self._place() as place:
            task = replace(place, line="until_killed", steps=steps)
            block, reached = task.place / "block", task.place / "reached"
            block.touch()
            with _started(_worker(task), task) as first:
                _wait_for(reached, first, DEADLINE)
                os.killpg(first.pid, signal.SIGKILL)
                first.wait()
            block.unlink()
            again = replace(task, line="recover")
            named = task.place / "recovery.json"
            command = json.loads(named.read_text()) if named.exists() else _worker(again)
            began = time.time()
            with _started(command, again) as second:
                _wait_for(task.place / "resumed", second, DEADLINE, may_end=True)
                return float((task.place / "resumed").read_text()) - began

    def _once(self, task: Task) -> Measured:
        began = time.perf_counter()
        with _started(_worker(task), task) as process:
            try:
                out, error = process.communicate(timeout=DEADLINE)
            except subprocess.TimeoutExpired:
                raise NotMeasuredError(f"> {DEADLINE:.0f} s") from None
        whole = time.perf_counter() - began
        if process.returncode:
            raise NotMeasuredError(_last_line(error))
        answer = json.loads(out)
        return Measured(answer["seconds"], whole, answer["peak"], self._disk(task))

    def _disk(self, task: Task) -> int:
        if self.store == "postgres":
            assert self._databases is not None
            return self._databases.size(task.url)
        return sum(file.stat().st_size for file in task.place.rglob("*") if file.is_file())


def _worker(task: Task) -> list[str]:
    return [sys.executable, "-m", "benchmarks.worker", task.to_json()]


@contextmanager
def _started(command: list[str], task: Task) -> Generator[subprocess.Popen[str]]:
    environment = {**os.environ, "KITARU_CONFIG_PATH": task.folder, "BENCHMARK_TASK": task.to_json()}
    if task.url:
        environment["KITARU_DATABASE_URL"] = task.url
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # What it started goes with it.
        for kill in (lambda: os.killpg(process.pid, signal.SIGKILL), process.wait):
            try:
                kill()
            except ProcessLookupError:
                continue
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _wait_for(file: Path, process: subprocess.Popen[str], seconds: float, *, may_end: bool = False) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        if time.monotonic() > deadline:
            raise NotMeasuredError(f"> {seconds:.0f} s")
        if process.poll() is not None and (process.returncode or not may_end):
            raise NotMeasuredError(_last_line(process.stderr.read() if process.stderr else ""))
        time.sleep(0.002)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:80] if lines else "it failed"


def process_seconds(code: str) -> float:
    """Seconds of a whole ``python -c`` process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began
