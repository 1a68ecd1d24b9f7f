"""What people see of executions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kitaru.cli.output import ago, between, table
from kitaru.models import (
    ArtifactDiff,
    ArtifactRef,
    CallDiff,
    CheckpointCall,
    Event,
    Execution,
    ExecutionDiff,
    PendingWait,
    PreflightResult,
    ValueDiff,
)

MOST_CALLS = 100
"""Rows of a table for people; a table of ten thousand takes seconds to set, and nobody reads it."""


def executions(page: Sequence[Execution]) -> None:
    """A table of executions, and how to see more."""
    if not page:
        print("No executions. Start one with: kitaru run MODULE:FLOW --args '{…}'")
        return
    table(
        "",
        ["execution", "flow", "status", "created", "took", "cost"],
        [
            (
                e.exec_id,
                e.flow_name,
                e.status.value,
                ago(e.created_at),
                between(e.started_at, e.ended_at),
                dollars(e.cost_usd, e.unpriced_calls),
            )
            for e in page
        ],
    )
    cursor = getattr(page, "cursor", None)
    if cursor:
        print(f"More: kitaru executions list --cursor '{cursor}'")


def preflight(results: Sequence[PreflightResult]) -> None:
    """What would become of each open execution, and why where it would not go on."""
    if not results:
        print("No execution is running or waiting.")
        return
    table(
        "",
        ["execution", "flow", "status", "with this code"],
        [(r.exec_id, r.flow_name, r.status.value, _foretold(r)) for r in results],
    )
    for result in results:
        if not result.is_safe:
            print(f"\n{result.exec_id} {result.verdict.replace('_', ' ')}: {result.reason}")


def _foretold(result: PreflightResult) -> str:
    told = result.verdict.replace("_", " ")
    if result.verdict == "new_calls":
        told = f"goes on with these new calls: {', '.join(result.new_calls)}"
    elif result.verdict == "goes_on" and result.new_calls:
        told = f"goes on with {', '.join(result.new_calls)}"
    elif result.verdict == "goes_on" and result.open_waits:
        told = f"goes on waiting for {', '.join(result.open_waits)}"
    if result.dropped_calls:
        told += f"; recorded and no longer made: {', '.join(result.dropped_calls)}"
    return told


def execution(found: Execution) -> None:
    """One execution with its calls, and what to type next."""
    print(
        f"{found.exec_id}  flow {found.flow_name}  {found.status.value}  {between(found.started_at, found.ended_at)}"
    )
    if found.original_exec_id:
        print(f"replay of {found.original_exec_id}")
    for name, ref in found.inputs.items():
        print(f"  {name} = {ref.preview}")
    if found.metadata:
        print(f"metadata: {found.metadata}")
    left_out = len(found.checkpoints) - MOST_CALLS
    if left_out > 0:
        print(f"The last {MOST_CALLS} calls; {left_out} before them are shown by -o json.")
    calls = found.checkpoints[-MOST_CALLS:]
    table("", ["call", "status", "attempts", "took", "cost", "output"], [_call(c) for c in calls])
    if found.tokens or found.unpriced_calls:
        print(f"cost: {dollars(found.cost_usd, found.unpriced_calls)} for {found.tokens} tokens")
    if found.saved_usd:
        print(f"saved: {dollars(found.saved_usd)} by answers from the record")
    for call in found.running_calls:
        print(f"running: {call.call_id} (attempt {call.attempt}) for {between(call.started_at, None)}")
    if found.pending_wait:
        question(found.pending_wait)
    if found.result:
        print(f"result: {found.result.preview}")
    if found.failure:
        print(f"failed ({found.failure.origin}): {found.failure.type}: {found.failure.message}")
        print(f"  go on from what is recorded: kitaru executions retry {found.exec_id}")


def _call(call: CheckpointCall) -> tuple[Any, ...]:
    shown = call.artifacts[0].preview if call.artifacts else call.failure.message if call.failure else ""
    status = f"{call.status} (from {call.cached_from})" if call.cached_from else call.status
    unpriced = sum(one.cost_usd is None and one.status == "completed" for one in call.llm_calls)
    cost = dollars(call.cost_usd, unpriced) if call.llm_calls else ""
    took = between(call.started_at, call.ended_at)
    return call.call_id, status, call.attempts, took, cost, (shown or "")[:80]


def question(wait: PendingWait) -> None:
    """An open question and how to answer it."""
    print(f"{wait.exec_id} waits for {wait.name!r} ({wait.wait_id}). {wait.question or ''}")
    if wait.schema:
        print(f"  schema: {wait.schema}")
    print(f"  answer: kitaru executions input {wait.exec_id} --wait {wait.name} --value JSON")


def event(happened: Event) -> None:
    """One line of a live view."""
    what = f"{happened.call_id} {happened.status or ''}" if happened.call_id else happened.status
    detail = {key: value for key, value in happened.detail.items() if value is not None}
    print(
        f"{happened.at:%H:%M:%S} {happened.kind.replace('_', ' ')}: {what} {detail or ''}".rstrip(),
        flush=True,
    )


def rows(found: Sequence[dict[str, Any]]) -> None:
    """A table of like rows."""
    if found:
        table("", list(found[0]), [list(row.values()) for row in found])
    else:
        print("No executions yet.")


def execution_diff(found: ExecutionDiff) -> None:
    """Two executions beside each other, and where to look further."""
    a, b = found.a, found.b
    table(
        "",
        ["", a.exec_id, b.exec_id],
        [
            ("status", a.status.value, b.status.value),
            ("took", between(a.started_at, a.ended_at), between(b.started_at, b.ended_at)),
            ("tokens", a.tokens or 0, b.tokens or 0),
            ("cost", dollars(a.cost_usd, a.unpriced_calls), dollars(b.cost_usd, b.unpriced_calls)),
            *(_beside(value) for value in (*found.inputs, found.result) if not value.same),
        ],
    )
    columns = ["call", "change", "a took", "b took", "a cost", "b cost", "differs"]
    calls = found.calls
    if len(calls) > MOST_CALLS:
        differing = [call for call in calls if call.change not in ("same", "reused")]
        calls = differing[:MOST_CALLS]
        print(f"{len(differing)} of {len(found.calls)} calls differ; -o json shows all.")
    table("", columns, [_call_diff(call) for call in calls])
    for call in calls:
        if (
            call.change == "changed"
            and call.output
            and call.output.a
            and call.output.b
            and not call.output.same
        ):
            print(f"kitaru artifacts diff '{call.output.a.artifact_id}' '{call.output.b.artifact_id}'")


def dollars(amount: float | None, unpriced: int = 0) -> str:
    """US dollars; what is not known is said."""
    if amount is None:
        return "unknown" if unpriced else "-"
    return f"${amount:.4f}{f' + {unpriced} unpriced' if unpriced else ''}"


def _beside(value: ValueDiff) -> tuple[Any, ...]:
    return value.name, *((side.preview or "")[:60] if side else "-" for side in (value.a, value.b))


def _call_diff(call: CallDiff) -> tuple[Any, ...]:
    took = [between(side.started_at, side.ended_at) if side else "-" for side in (call.a, call.b)]
    values = [*call.inputs, *([call.output] if call.output else [])]
    costs = [dollars(side.cost_usd) if side else "-" for side in (call.a, call.b)]
    differs = ", ".join(v.name for v in values if not v.same)
    return call.call_id, call.change.replace("_", " "), *took, *costs, differs


def artifacts(found: Sequence[ArtifactRef]) -> None:
    """A table of artifacts."""
    columns = ["artifact", "name", "kind", "type", "bytes", "preview"]
    rows = [(a.artifact_id, a.name, a.kind, a.type, a.size, (a.preview or "")[:60]) for a in found]
    table("", columns, rows)


def artifact_diff(found: ArtifactDiff) -> None:
    """Where two artifacts differ."""
    if found.kind == "same":
        print("They are the same.")
    elif found.kind == "text":
        print(found.text)
    elif found.kind == "bytes":
        table(
            "",
            ["artifact", "bytes", "digest"],
            [(a.artifact_id, a.size, a.digest) for a in (found.a, found.b)],
        )
    else:
        rows = [
            (change.path, change.kind.replace("_", " "), change.before, change.after)
            for change in found.changes
        ]
        table("", ["where", "change", "before", "after"], rows)
