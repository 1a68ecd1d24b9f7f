"""Tools for executions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from kitaru.client import KitaruClient
from kitaru.mcp import starting
from kitaru.mcp.answers import Json, item, items

ExecId = Annotated[str, Field(description="The execution's id, for example kr-0123456789abcdef.")]

# What a call shows in an execution: its artifacts are listed by a tool of their own.
_CALL = {
    "call_id",
    "name",
    "kind",
    "status",
    "attempts",
    "failure",
    "cost_usd",
    "cached_from",
    "started_at",
    "ended_at",
}
MOST_CALLS = 200


def kitaru_executions_list(
    status: Annotated[
        str | None, Field(description="Only with this: running, waiting, completed, failed, cancelled.")
    ] = None,
    flow: Annotated[str | None, Field(description="Only of this flow.")] = None,
    stack: Annotated[str | None, Field(description="Only on this stack.")] = None,
    limit: Annotated[int | None, Field(description="The most to return; default 20.", ge=1, le=200)] = None,
    after: Annotated[
        str | None, Field(description="For the next page: the id of the last execution of the page before.")
    ] = None,
) -> list[Json]:
    """List executions, newest first, without their calls."""
    client = KitaruClient()
    cursor = None if after is None else client.executions.cursor_after(after)
    page = client.executions.list(flow=flow, status=status, stack=stack, limit=limit or 20, cursor=cursor)
    return items(page, "checkpoints", "artifacts", "running_calls", "pending_wait", "spec")


def kitaru_executions_get(
    exec_id: ExecId,
    at: Annotated[
        str | None, Field(description="A call's id or name: what was known when it began, in place of all.")
    ] = None,
) -> Json:
    """Show an execution: inputs, calls with previews of their outputs, what it waits for, why it failed, its cost."""
    client = KitaruClient()
    if at is not None:
        return item(client.executions.at(exec_id, at))
    found = client.executions.get(exec_id)
    calls = [
        call.model_dump(mode="json", include=_CALL)
        | {"output": call.artifacts[0].preview if call.artifacts else None}
        for call in found.checkpoints[-MOST_CALLS:]
    ]
    more = {"checkpoints": calls, "calls_left_out": max(0, len(found.checkpoints) - MOST_CALLS)}
    return item(found, "checkpoints", "artifacts", "spec") | more


def kitaru_executions_latest(
    flow: Annotated[str | None, Field(description="Of this flow.")] = None,
) -> Json:
    """Show the newest execution, of all or of one flow."""
    return kitaru_executions_get(KitaruClient().executions.latest(flow).exec_id)


def kitaru_executions_run(
    target: Annotated[str, Field(description="my_module:my_flow, or path/to/file.py:my_flow")],
    args: Annotated[dict[str, Any] | None, Field(description="The flow's inputs.")] = None,
) -> Json:
    """Start a flow in a process of its own; returns at once with its execution."""
    return kitaru_executions_get(starting.start(target, args or {}))


def kitaru_executions_logs(
    exec_id: ExecId,
    checkpoint: Annotated[
        str | None, Field(description="Only of this checkpoint: its name or a call id.")
    ] = None,
    limit: Annotated[
        int | None, Field(description="The most lines to return, the last ones; default 200.", ge=1, le=2000)
    ] = None,
) -> list[Json]:
    """Show what an execution printed and logged, oldest first."""
    found = list(KitaruClient().executions.logs(exec_id, checkpoint))
    return items(found[-(limit or 200) :])


get_execution_logs = kitaru_executions_logs


def kitaru_executions_statistics(
    group_by: Annotated[str, Field(description="flow, model, status, day or stack.")] = "flow",
) -> list[Json]:
    """Count executions, mean durations in seconds, tokens and cost in US dollars, by group."""
    return KitaruClient().executions.statistics(group_by)


def kitaru_executions_input(
    exec_id: ExecId,
    value: Annotated[Any, Field(description="The answer, as the wait's schema asks.")],
    wait: Annotated[str | None, Field(description="The wait's name or id, where several are open.")] = None,
) -> Json:
    """Answer what an execution waits for; it then goes on by itself."""
    client = KitaruClient()
    client.executions.input(exec_id, wait, value)
    return kitaru_executions_get(exec_id)


def kitaru_executions_retry(exec_id: ExecId) -> Json:
    """Run a failed execution again from what is recorded."""
    KitaruClient().executions.retry(exec_id)
    return kitaru_executions_get(exec_id)


def kitaru_executions_resume(exec_id: ExecId) -> Json:
    """Go on with an execution whose process died."""
    KitaruClient().executions.resume(exec_id)
    return kitaru_executions_get(exec_id)


def kitaru_executions_cancel(exec_id: ExecId) -> Json:
    """Cancel an execution that runs or waits."""
    KitaruClient().executions.cancel(exec_id)
    return kitaru_executions_get(exec_id)


def kitaru_executions_replay(
    exec_id: ExecId,
    from_: Annotated[
        str | None,
        Field(
            description="A checkpoint's name or a call id: calls before it answer from the record. Or: changed."
        ),
    ] = None,
    overrides: Annotated[
        dict[str, Any] | None,
        Field(description='{"checkpoint.NAME": output, "wait.NAME": answer, "input.NAME": value}'),
    ] = None,
    args: Annotated[dict[str, Any] | None, Field(description="Inputs of the flow to change.")] = None,
) -> Json:
    """Run an execution again as a new one, with what came before a point answered from the record."""
    new = KitaruClient().executions.replay(exec_id, from_, overrides, **(args or {}))
    return kitaru_executions_get(new.exec_id)


def kitaru_executions_diff(
    id_a: ExecId, id_b: Annotated[str, Field(description="The other execution's id.")]
) -> Json:
    """Compare two executions: inputs, results, and the calls that differ, with digests and previews."""
    found = KitaruClient().executions.diff(id_a, id_b)
    differing = [call for call in found.calls if call.change not in ("same", "reused")]
    without = ("checkpoints", "artifacts", "running_calls", "spec")
    return {
        "a": item(found.a, *without),
        "b": item(found.b, *without),
        "inputs": items(found.inputs),
        "result": item(found.result),
        "calls": items(differing[:MOST_CALLS]),
        "calls_the_same": len(found.calls) - len(differing),
        "calls_left_out": max(0, len(differing) - MOST_CALLS),
    }
