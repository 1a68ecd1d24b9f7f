"""The process that makes one measurement: ``python -m benchmarks.worker TASK`` prints a JSON object."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.task import Steps, System, Task


def _peak() -> int:
    """Bytes of memory at the highest. The kernel's ``ru_maxrss`` would count what the parent had before the exec."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main(task: Task) -> None:
    """Measure, and print the seconds and the peak memory."""
    answer = os.dup(1)
    os.dup2(2, 1)
    made = importlib.import_module(f"benchmarks.systems.{task.system}").make
    system: System = made(task, Steps(task))
    if task.line == "recover":
        system.recover()
        seconds = 0.0
    elif task.line == "many":
        seconds = system.many()
    else:
        if task.line == "run" and task.steps > 1:
            system.run(1)  # what only a first execution pays is the cold start's line
        began = time.perf_counter()
        system.run(task.steps)
        seconds = time.perf_counter() - began
    peak = _peak()
    system.close()
    with open(answer, "w") as file:
        json.dump({"seconds": seconds, "peak": peak}, file)


if __name__ == "__main__":
    main(Task(**json.loads(sys.argv[1])))
