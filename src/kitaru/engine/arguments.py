"""A flow's own arguments."""

from __future__ import annotations

from inspect import signature
from typing import Any

from kitaru.engine.run import Run
from kitaru.store.records import payload_from_json


def flow_inputs(run: Run) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The flow's arguments, decoded from its record."""
    bound = signature(run.code.function).bind_partial()
    for parameter, form in run.execution.inputs.items():
        bound.arguments[parameter] = run.vault.get(payload_from_json(form))
    return bound.args, bound.kwargs
