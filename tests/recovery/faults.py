"""Storage that fails on command, for processes that are started after it was installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import Process, Python, wait_until

SOURCE = Path(__file__).with_name("faulty_storage.c")

WAITS = "waits for its storage"
GOES_ON = "its storage is back"


class FaultyStorage:
    """Writes and syncs below a folder fail in the started processes, from ``begin`` to ``end``."""

    def __init__(self, python: Python, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("there is no C compiler to build the faulty storage with")
        library = python.folder / "faulty_storage.so"
        built = subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"],
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode != 0:
            pytest.skip(f"the faulty storage cannot be built here: {built.stderr}")
        self._control = python.folder / "fault"
        self._count = python.folder / "faults"
        python.environment |= {
            "LD_PRELOAD": str(library),
            "FAULT_CONTROL": str(self._control),
            "FAULT_COUNT": str(self._count),
            "FAULT_FOLDER": str(folder),
        }

    def begin(self, error: str) -> None:
        """From now on: ``ENOSPC`` or ``EIO``."""
        aside = self._control.with_suffix(".new")
        aside.write_text(error)
        aside.rename(self._control)

    def end(self) -> None:
        """All works again."""
        self._control.unlink()

    def until_failed(self, times: int) -> None:
        """Wait until so many writes have failed."""
        wait_until(
            lambda: self._count.exists() and self._count.stat().st_size >= times, f"{times} failed writes"
        )


def until_said(process: Process, text: str) -> None:
    """Wait until a process has printed this."""

    def said() -> bool:
        assert text in process.output or process.popen.poll() is None, process.output
        return text in process.output

    wait_until(said, f"{text!r} to be said")
