"""What is said when the code asks for something else than the journal holds."""

from __future__ import annotations

from typing import Any

from kitaru.engine.calls import Call
from kitaru.engine.replay import same_inputs
from kitaru.errors import KitaruDivergenceError
from kitaru.store.records import CallRecord

CAUSES = (
    "Usual causes: the flow reads the clock, a random number, a file, an environment variable or a network outside a "
    "checkpoint (use kitaru.now(), kitaru.random(), or put the read into a checkpoint), or its code was changed "
    "before this call."
)


def check(record: CallRecord, call: Call, exec_id: str) -> None:
    """Raise ``KitaruDivergenceError`` when the recorded call is not the one that the flow makes now."""
    if record.kind != call.kind:
        raise KitaruDivergenceError(
            f"Execution {exec_id} diverges at call {call.call_id!r}: the journal holds a {record.kind}, the flow now "
            f"makes a {call.kind}. {CAUSES} To go on with the code as it is: "
            f"`kitaru executions replay {exec_id} --from {call.call_id}`.",
            exec_id=exec_id,
        )
    differs = same_inputs(record.inputs, call.inputs)
    if differs is None:
        return
    before = _preview((record.inputs or {}).get(differs))
    after = _preview((call.inputs or {}).get(differs))
    raise KitaruDivergenceError(
        f"Execution {exec_id} diverges at call {call.call_id!r}: argument {differs!r} was {before} when it was "
        f"recorded and is {after} now. {CAUSES} To go on with the new value: "
        f"`kitaru executions replay {exec_id} --from {call.call_id}`.",
        exec_id=exec_id,
    )


def _preview(form: dict[str, Any] | None) -> str:
    if form is None:
        return "absent"
    text = str(form.get("p") or form.get("v") or f"{form.get('t')} with digest {form['d'][:12]}")
    return text if len(text) <= 120 else f"{text[:117]}..."
