"""One execution's preflight: ``python -m kitaru.runners.preflight EXEC_ID`` prints a JSON object and writes nothing."""

from __future__ import annotations

import json
import os
import sys

from kitaru import backend as connection
from kitaru.backend import Backend, using
from kitaru.engine.dry_run import Findings, dry_run, read_only
from kitaru.engine.runner import Runner
from kitaru.errors import KitaruDivergenceError, KitaruRuntimeError
from kitaru.flows import Flow, target
from kitaru.runners.entrypoint import Entrypoint, load_function
from kitaru.store.records import ExecutionRecord, JsonDict


def look(exec_id: str) -> JsonDict:
    """What the code as it stands now does with an execution, as fields of ``PreflightResult``."""
    plain = connection.backend()
    execution = plain.store.execution(exec_id)
    store = read_only(plain.store)
    runner = Runner(store, plain.vault, plain.runner.lock_folder, lambda _: None)
    with using(Backend(store, plain.vault, runner, plain.objects_url, detached=False)):
        entry = Entrypoint.from_json(execution.spec["entrypoint"])
        try:
            with target(execution):
                flow = load_function(entry)
        except KitaruRuntimeError as error:
            return {"verdict": "cannot_load", "reason": str(error)}
        if not isinstance(flow, Flow):
            return {
                "verdict": "cannot_load",
                "reason": f"{entry.qualname} in {entry.script or entry.module} is not a flow any more.",
            }
        return _verdict(execution, dry_run(store, plain.vault, runner.lock_folder, execution, flow.code))


def _verdict(execution: ExecutionRecord, found: Findings) -> JsonDict:
    form: JsonDict = {"new_calls": found.new, "open_waits": found.waits}
    # Where new calls come first, what follows them is not known.
    form["dropped_calls"] = [] if found.new else found.unasked
    if found.diverged is not None or isinstance(found.raised, KitaruDivergenceError):
        return {**form, "verdict": "diverges", "reason": found.diverged or str(found.raised)}
    if found.raised is not None:
        told = f"{type(found.raised).__name__}: {found.raised}"
        return {**form, "verdict": "fails", "reason": f"The flow's body raises {told}"}
    if found.new and (execution.status == "waiting" or found.unasked):
        return {**form, "verdict": "new_calls"}
    return {**form, "verdict": "goes_on"}


if __name__ == "__main__":
    # What the flow prints is not the answer.
    answer = os.dup(1)
    os.dup2(2, 1)
    result = look(sys.argv[1])
    sys.stdout.flush()
    with open(answer, "w") as file:
        json.dump(result, file)
    os._exit(0)
