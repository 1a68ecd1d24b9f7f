"""The one entry point of every runner: ``python -m kitaru.runners.main EXEC_ID`` goes on with an execution."""

from __future__ import annotations

import os
import sys

from kitaru import backend as connection
from kitaru.errors import KitaruError, KitaruRuntimeError
from kitaru.flows import Flow, target
from kitaru.runners.entrypoint import Entrypoint, load_function
from kitaru.store.records import LogRecord


def main(exec_id: str) -> int:
    """Load the flow, take the execution over, run it until it ends or suspends. 0: done, or somebody else does it."""
    backend = connection.backend()
    execution = backend.store.execution(exec_id)
    if execution.status.is_finished:
        return 0
    entry = Entrypoint.from_json(execution.spec["entrypoint"])
    try:
        with target(execution):
            flow = load_function(entry)
        if not isinstance(flow, Flow):
            raise KitaruRuntimeError(
                f"{entry.qualname} in {entry.script or entry.module} is not a flow any more. "
                f"Bring it back. Then type: kitaru executions resume {exec_id}"
            )
    except KitaruRuntimeError as error:
        # What loads a flow knows of no execution.
        told = str(error).replace("kr-…", exec_id)
        line = LogRecord(exec_id, None, 1, backend.store.now(), "logging", "ERROR", "kitaru", told)
        backend.store.tell(logs=[line])
        raise KitaruRuntimeError(told) from error
    session = flow.go_on(exec_id)
    if session is None:
        print(f"kitaru: {exec_id} is held by another runner", file=sys.stderr)
        return 0
    session.ended.wait()
    return 1 if session.storage_error else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    try:
        code = main(sys.argv[1])
    except KitaruError as error:
        print(f"kitaru: {error}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.exit(code)
