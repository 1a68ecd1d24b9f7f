"""The flow: collect, draft, ask a person, publish. It starts itself when the file is run."""

import os
import sys
import time
from pathlib import Path

import kitaru

SIDE_FILE = Path(os.environ["FIRST_RUN_FOLDER"]) / "what-really-ran.txt"


def note(line: str) -> None:
    """Write down what really runs, outside Kitaru's own record."""
    with SIDE_FILE.open("a") as file:
        file.write(f"{line}\n")


@kitaru.checkpoint
def collect(source: int) -> str:
    """Pretend to pay a model for some notes."""
    note(f"collect {source}")
    time.sleep(0.3)
    return f"notes from source {source}"


@kitaru.checkpoint
def publish(notes: list[str]) -> str:
    """Happens only after a person said yes."""
    note("publish")
    return f"Published a report on {len(notes)} sources."


@kitaru.flow
def report(sources: int) -> str:
    """An ordinary function: no graph, no workers."""
    notes = [collect(source) for source in range(1, sources + 1)]
    if not kitaru.wait("approve", question=f"Publish {len(notes)} notes?", schema=bool):
        return "Not published."
    return publish(notes)


if __name__ == "__main__":
    handle = report.run(int(sys.argv[1]))
    print(handle.exec_id, flush=True)
