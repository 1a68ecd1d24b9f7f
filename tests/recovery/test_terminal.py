"""In a terminal a wait asks right there."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tests.recovery.conftest import Stage

ASKING = """
@kitaru.flow
def asking():
    return kitaru.wait("number", question="How many?", schema=int)

if __name__ == "__main__":
    print("result", asking.run().wait())
"""


def test_a_wait_is_answered_inline(stage: Stage) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(stage.write(ASKING))],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=stage.python.environment,
    )
    os.close(theirs)
    os.write(ours, b"many\n42\n")
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the terminal's other end was closed: the process has ended
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait() == 0
    text = said.decode()
    for expected in ("How many?", "'many' is not JSON", "result 42"):
        assert expected in text
    (execution,) = stage.client.executions.list()
    assert execution.status == "completed"
