"""Two executions, or two artifacts, side by side. Executions are compared by digests: no value is loaded."""

from __future__ import annotations

import difflib
from typing import Any

from kitaru.backend import Backend
from kitaru.client import mapping, usage
from kitaru.models import (
    ArtifactDiff,
    ArtifactRef,
    CallDiff,
    CheckpointCall,
    Execution,
    ExecutionDiff,
    ValueChange,
    ValueDiff,
)
from kitaru.redaction import redactor

CONTEXT_LINES = 3
PICKLE = "application/vnd.python.pickle"


def compare_executions(backend: Backend, id_a: str, id_b: str) -> ExecutionDiff:
    """What two executions have in common, and where they part."""
    used = backend.store.reads.usage([id_a, id_b])
    a, b = (
        mapping.execution(backend, backend.store.execution(exec_id)).model_copy(
            update=usage.usage_fields(used[exec_id])
        )
        for exec_id in (id_a, id_b)
    )
    calls_a, calls_b = _calls(backend, id_a), _calls(backend, id_b)
    order = [*calls_a, *(call_id for call_id in calls_b if call_id not in calls_a)]
    return ExecutionDiff(
        a=a,
        b=b,
        inputs=_inputs(a.inputs, b.inputs),
        calls=[_call(call_id, calls_a.get(call_id), calls_b.get(call_id), a, b) for call_id in order],
        result=_value("result", a.result, b.result),
    )


def _calls(backend: Backend, exec_id: str) -> dict[str, CheckpointCall]:
    summaries = backend.store.reads.call_summaries(exec_id)
    calls = [mapping.call(backend, exec_id, record, [], []) for record in summaries]
    calls = usage.with_subcalls(backend, exec_id, calls, backend.store.reads.subcalls(exec_id), {})
    return {call.call_id: call for call in calls}


def _call(
    call_id: str, a: CheckpointCall | None, b: CheckpointCall | None, in_a: Execution, in_b: Execution
) -> CallDiff:
    some = a or b
    assert some is not None
    if a is None or b is None:
        return CallDiff(call_id=call_id, name=some.name, change="only_b" if a is None else "only_a", a=a, b=b)
    inputs = _inputs(a.inputs, b.inputs)
    output = _value("output", _output(a), _output(b))
    same = a.status == b.status and a.failure == b.failure and not _changed([*inputs, output])
    change = "same" if same else "changed"
    if same and (
        b.cached_from == f"{in_a.exec_id}/{call_id}" or a.cached_from == f"{in_b.exec_id}/{call_id}"
    ):
        change = "reused"
    return CallDiff(call_id=call_id, name=a.name, change=change, a=a, b=b, inputs=inputs, output=output)


def _output(call: CheckpointCall) -> ArtifactRef | None:
    return call.artifacts[0] if call.artifacts else None


def _inputs(a: dict[str, ArtifactRef], b: dict[str, ArtifactRef]) -> list[ValueDiff]:
    return [_value(name, a.get(name), b.get(name)) for name in dict.fromkeys((*a, *b))]


def _value(name: str, a: ArtifactRef | None, b: ArtifactRef | None) -> ValueDiff:
    same = a is b or (a is not None and b is not None and a.digest == b.digest and bool(a.digest))
    return ValueDiff(name=name, same=same, a=a, b=b)


def _changed(values: list[ValueDiff]) -> bool:
    return any(not value.same for value in values)


def compare_artifacts(a: ArtifactRef, b: ArtifactRef) -> ArtifactDiff:
    """The values themselves: by their structure, line by line, or by size and digest."""
    if a.digest and a.digest == b.digest:
        return ArtifactDiff(a=a, b=b, kind="same")
    if PICKLE in (a.media_type, b.media_type):
        return ArtifactDiff(a=a, b=b, kind="bytes")
    left, right = _loaded(a), _loaded(b)
    if isinstance(left, str) and isinstance(right, str):
        lines = difflib.unified_diff(
            left.splitlines(), right.splitlines(), a.artifact_id, b.artifact_id, n=CONTEXT_LINES, lineterm=""
        )
        return ArtifactDiff(a=a, b=b, kind="text", text=redactor.text("\n".join(lines)))
    if isinstance(left, bytes) or isinstance(right, bytes):
        return ArtifactDiff(a=a, b=b, kind="bytes")
    changes = _structural(left, right)
    return ArtifactDiff(a=a, b=b, kind="structure" if changes else "same", changes=changes)


def _loaded(ref: ArtifactRef) -> Any:
    """The value as plain data: to compare what somebody wrote, none of their code has to run."""
    loader = ref._loader  # pyright: ignore[reportPrivateUsage]  # models know no backend: they hold a loader
    assert loader is not None
    return loader(plain=True)


def _structural(left: Any, right: Any) -> list[ValueChange]:
    from deepdiff import DeepDiff

    found: Any = DeepDiff(_plain(left), _plain(right), verbose_level=2, view="tree")
    changes = [
        ValueChange(
            path=redactor.text(level.path()), kind=kind, before=_shown(level.t1), after=_shown(level.t2)
        )
        for kind, levels in found.items()
        for level in levels
    ]
    return sorted(changes, key=lambda change: change.path)


def _plain(value: Any) -> Any:
    """Dicts, lists and scalars in place of models and dataclasses, so that fields are compared by name."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, fallback=repr)


def _shown(value: Any) -> Any:
    from deepdiff.helper import NotPresent

    return None if isinstance(value, NotPresent) or value is NotPresent else redactor.anything(value)
