"""Real processes for end-to-end tests: start Python, wait for what it does, kill it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

T = TypeVar("T")

PROJECT = Path(__file__).resolve().parents[2]
DEADLINE = 60.0
"""Seconds that a wait may take before the test fails: generous, since only a failure ever takes that long."""

_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "COVERAGE_PROCESS_START")


def wait_until(condition: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """Ask ``condition`` until it answers something true, and return that.

    Raises:
        AssertionError: ``deadline`` seconds passed; the message names ``what`` and the last answer.
    """
    end = time.monotonic() + deadline
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:g} s for {what}; the last answer was {answer!r}")
        time.sleep(0.01)


def lines(file: Path) -> list[str]:
    """The complete lines of a file that other processes append to; none while it does not exist."""
    if not file.exists():
        return []
    text = file.read_text()
    return text[: text.rfind("\n") + 1].splitlines()


def wait_for_line(file: Path, line: str, count: int = 1, deadline: float = DEADLINE) -> list[str]:
    """Wait until ``file`` holds ``line`` at least ``count`` times, and return all of its lines."""
    wait_until(lambda: lines(file).count(line) >= count, f"{count} x {line!r} in {file.name}", deadline)
    return lines(file)


def clean_environment(home: Path) -> dict[str, str]:
    """An environment that knows nothing of who runs the tests: ``home`` for HOME and for Kitaru's own folder."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return kept | {
        "HOME": str(home),
        "KITARU_CONFIG_PATH": str(home / ".kitaru"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
    }


@dataclass
class Process:
    """A started process in a group of its own, its output in a file."""

    popen: subprocess.Popen[bytes]
    output_file: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    @property
    def output(self) -> str:
        """What it has printed so far, stdout and stderr together."""
        return self.output_file.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL to this process alone; what it started lives on. Returns when it is dead."""
        self.popen.kill()
        self.popen.wait()

    def kill_group(self) -> None:
        """SIGKILL to the process and to all in its group. Returns when the process is dead."""
        # The group is gone when the process has been waited for and left no children.
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def wait(self, deadline: float = DEADLINE) -> int:
        """Wait for the end and return the exit status, negative after a signal; shows the output when it is late."""
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline:g} s; it printed:\n{self.output}") from None

    def succeed(self, deadline: float = DEADLINE) -> str:
        """Wait for the end, which must be exit status 0, and return the output."""
        status = self.wait(deadline)
        assert status == 0, f"exit status {status}; it printed:\n{self.output}"
        return self.output


class Python:
    """Starts Python processes in a folder and a home of the test's own, and kills what is left at the end."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        self.environment = clean_environment(home)
        self._started: list[Process] = []

    def start(
        self,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Process:
        """Start ``python ARGUMENTS`` (a script's path, or ``-m``, module, …); stdin is empty."""
        output_file = self.folder / f"output-{len(self._started)}.txt"
        with output_file.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder or self.folder,
                env={**self.environment, **(environment or {})},
                start_new_session=True,
            )
        process = Process(popen, output_file)
        self._started.append(process)
        return process

    def run(self, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> str:
        """Start it, wait for its end, which must be a success, and return its output."""
        return self.start(*arguments, environment=environment).succeed()

    def kitaru(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a ``kitaru`` command to its end; stdout and stderr apart, any exit status."""
        command: Sequence[str] = [str(Path(sys.executable).with_name("kitaru")), *arguments]
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=DEADLINE,
            check=False,
        )

    def script(self, text: str, name: str = "script.py") -> Path:
        """Write a file into the folder and return its path."""
        file = self.folder / name
        file.write_text(text)
        return file

    def end(self) -> None:
        """Kill every process that was started here."""
        for process in self._started:
            process.kill_group()


def processes_of(home: Path) -> list[psutil.Process]:
    """The living processes (a zombie is none) that were started with this HOME, wherever they detached to."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        # A process may end while it is looked at, and other accounts' are not ours.
        with suppress(psutil.Error):
            if process.environ().get("HOME") == str(home):
                found.append(process)
    return found


@pytest.fixture
def kitaru_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Kitaru's folder for this test, also for this process; every other ``KITARU_*`` variable is gone.

    What was started with it and still lives when the test ends, detached runners too, is killed.
    """
    for name in list(os.environ):
        if name.startswith("KITARU_"):
            monkeypatch.delenv(name)
    home = tmp_path / "home" / ".kitaru"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home.parent))
    monkeypatch.setenv("KITARU_CONFIG_PATH", str(home))
    yield home
    # Again until none is left: one that is killed may just have started another.
    while left := processes_of(home.parent):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture
def python(tmp_path: Path, kitaru_home: Path) -> Iterator[Python]:
    """Starts Python processes that share this test's ``kitaru_home``; all are killed after the test."""
    folder = tmp_path / "work"
    folder.mkdir()
    starter = Python(folder, kitaru_home.parent)
    try:
        yield starter
    finally:
        starter.end()
