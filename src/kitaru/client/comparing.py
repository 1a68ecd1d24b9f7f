"""Two executions, or two artifacts, side by side. Executions are compared by digests: no value is loaded."""

from __future__ import annotations

import difflib
from typing import Any

from kitaru.backend import Backend
from kitaru.client import mapping, usage
from kitaru.client.bursts import one_burst
from kitaru.models import (
    ArtifactDiff,
    ArtifactRef,
    CallDiff,
    CheckpointCall,
    ExecutionDiff,
    ValueChange,
    ValueDiff,
)
from kitaru.redaction import redactor
from kitaru.store.records import CallRecord, JsonDict

CONTEXT_LINES = 3
PICKLE = "application/vnd.python.pickle"


def compare_executions(backend: Backend, id_a: str, id_b: str) -> ExecutionDiff:
    """What two executions have in common, and where they part."""
    used = backend.store.reads.usage([id_a, id_b])
    with one_burst():
        a, b = _Side(backend, id_a, used[id_a]), _Side(backend, id_b, used[id_b])
        order = [*a.records, *(call_id for call_id in b.records if call_id not in a.records)]
        return ExecutionDiff.trusted(
            {
                "a": a.execution,
                "b": b.execution,
                "inputs": _inputs(a.execution.inputs, b.execution.inputs),
                "calls": [_call(call_id, a, b) for call_id in order],
                "result": _value("result", a.execution.result, b.execution.result),
            }
        )


class _Side:
    """One of the two executions."""

    def __init__(self, backend: Backend, exec_id: str, used: JsonDict) -> None:
        self._backend = backend
        self._exec_id = exec_id
        execution = mapping.execution(backend, backend.store.execution(exec_id))
        self.execution = execution.model_copy(update=usage.usage_fields(used))
        self.records = {call.call_id: call for call in backend.store.reads.call_summaries(exec_id)}
        self._subcalls = usage.by_call(backend.store.reads.subcalls(exec_id))

    def call(self, call_id: str, *, values: bool) -> CheckpointCall:
        """A call with what it cost."""
        call = mapping.call(self._backend, self._exec_id, self.records[call_id], [], [], values=values)
        return usage.with_subcalls(self._backend, self._exec_id, call, self._subcalls.get(call_id, []), {})

    def gave(self, call_id: str, other: CallRecord) -> bool:
        """Whether the other side's record was taken from this call."""
        return (other.info or {}).get("cached_from") == f"{self._exec_id}/{call_id}"


def _call(call_id: str, a: _Side, b: _Side) -> CallDiff:
    left, right = a.records.get(call_id), b.records.get(call_id)
    if left is None or right is None:
        side, change = (a, "only_a") if left is not None else (b, "only_b")
        call = side.call(call_id, values=True)
        return CallDiff(
            call_id=call_id,
            name=call.name,
            change=change,
            a=call if side is a else None,
            b=call if side is b else None,
        )
    same = _same(left, right)
    call_a, call_b = a.call(call_id, values=not same), b.call(call_id, values=not same)
    change = "changed"
    if same:
        change = "reused" if a.gave(call_id, right) or b.gave(call_id, left) else "same"
    return CallDiff.trusted(
        {
            "call_id": call_id,
            "name": left.name,
            "change": change,
            "a": call_a,
            "b": call_b,
            "inputs": [] if same else _inputs(call_a.inputs, call_b.inputs),
            "output": None if same else _value("output", _output(call_a), _output(call_b)),
        }
    )


def _same(a: CallRecord, b: CallRecord) -> bool:
    if a.status != b.status or (a.error != b.error and mapping.failure(a.error) != mapping.failure(b.error)):
        return False
    digests = _digests(a)
    return digests == _digests(b) and "" not in digests.values()


def _digests(record: CallRecord) -> dict[str, str | None]:
    """Parameter -> digest; empty where equal values cannot be told. The output stands under an empty name."""
    inputs: JsonDict = record.inputs or {}
    output = record.output
    return {name: form["d"] for name, form in inputs.items()} | {"": output.digest if output else None}


def _output(call: CheckpointCall) -> ArtifactRef | None:
    return call.artifacts[0] if call.artifacts else None


def _inputs(a: dict[str, ArtifactRef], b: dict[str, ArtifactRef]) -> list[ValueDiff]:
    return [_value(name, a.get(name), b.get(name)) for name in dict.fromkeys((*a, *b))]


def _value(name: str, a: ArtifactRef | None, b: ArtifactRef | None) -> ValueDiff:
    same = a is b or (a is not None and b is not None and a.digest == b.digest and bool(a.digest))
    return ValueDiff(name=name, same=same, a=a, b=b)


def compare_artifacts(a: ArtifactRef, b: ArtifactRef) -> ArtifactDiff:
    """The values themselves: by their structure, line by line, or by size and digest."""
    if a.digest and a.digest == b.digest:
        return ArtifactDiff(a=a, b=b, kind="same")
    if PICKLE in (a.media_type, b.media_type):
        return ArtifactDiff(a=a, b=b, kind="bytes")
    # To compare what somebody wrote, none of their code has to run.
    left, right = a.load(plain=True), b.load(plain=True)
    if isinstance(left, str) and isinstance(right, str):
        lines = difflib.unified_diff(
            left.splitlines(), right.splitlines(), a.artifact_id, b.artifact_id, n=CONTEXT_LINES, lineterm=""
        )
        return ArtifactDiff(a=a, b=b, kind="text", text=redactor.text("\n".join(lines)))
    if isinstance(left, bytes) or isinstance(right, bytes):
        return ArtifactDiff(a=a, b=b, kind="bytes")
    changes = _structural(left, right)
    return ArtifactDiff(a=a, b=b, kind="structure" if changes else "same", changes=changes)


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
