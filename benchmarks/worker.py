"""The process that makes one measurement: ``python -m benchmarks.worker TASK`` prints a JSON object."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys

from benchmarks.task import Steps, System, Task


def main(task: Task) -> None:
    """Measure, and print the seconds and the peak memory."""
    answer = os.dup(1)
    os.dup2(2, 1)
    made = importlib.import_module(f"benchmarks.systems.{task.system}").make
    system: System = made(task, Steps(task))
    if task.line == "recover":
        system.recover()
        seconds = 0.0
    else:
        seconds = system.many() if task.line == "many" else system.run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    system.close()
    with open(answer, "w") as file:
        json.dump({"seconds": seconds, "peak": peak}, file)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(Task(**json.loads(sys.argv[1])))
