"""What a flow's result came from, where its digest alone does not say it."""

from __future__ import annotations

from typing import Any

from kitaru.engine.run import Run
from kitaru.store.records import LinkRecord, Payload


def result_links(run: Run, result: Any, payload: Payload) -> list[LinkRecord]:
    """The calls and inputs whose values a result is, holds, or was made of."""
    origins = run.journal.origins
    if payload.digest in origins.calls or payload.digest in origins.inputs:
        return []
    found = run.trails.result()
    equal = [source for source in found if origins.digests.get(source) == payload.digest]
    if equal:
        return [_link(run, "result", equal[-1])]
    held = origins.inside(result, payload.size)
    links = [_link(run, "part", source) for source in held]
    return links + [_link(run, "derived", source) for source in found if source not in held]


def _link(run: Run, kind: str, source: str) -> LinkRecord:
    _, is_input, parameter = source.partition("input:")
    artifact = f"/input/{parameter}" if is_input else f"{source}/output"
    return LinkRecord("", kind, "", f"{run.exec_id}/{artifact}")
