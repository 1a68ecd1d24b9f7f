"""Starts a flow in a process of its own: this one loads nobody's code, and speaks on its standard output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kitaru.errors import KitaruRuntimeError, KitaruUsageError

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05

_EXEC_ID = re.compile(r"^kr-[0-9a-f]{16}$", re.MULTILINE)


def start(target: str, inputs: dict[str, Any]) -> str:
    """Start ``module:flow``; its execution's id. The process goes on when this one ends.

    Raises:
        KitaruUsageError: the flow cannot be found, or its inputs do not fit.
        KitaruRuntimeError: it did not begin in time.
    """
    command = [
        sys.executable,
        "-m",
        "kitaru.cli.entry",
        "run",
        target,
        "--args",
        json.dumps(inputs),
        "-o",
        "json",
    ]
    with TemporaryDirectory(prefix="kitaru-mcp-") as folder:
        said = Path(folder) / "said.txt"
        with said.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            text = said.read_text(errors="replace")
            found = _EXEC_ID.search(text)
            if found is not None:
                return found[0]
            if ended:
                raise KitaruUsageError(text.strip().removeprefix("Error: ") or f"{target} did not start.")
            time.sleep(POLL_SECONDS)
    process.terminate()
    raise KitaruRuntimeError(
        f"{target} did not begin an execution within {PATIENCE_SECONDS:g} s: its module may take longer to import. "
        f"Start it with `kitaru run {target}`."
    )
