"""``kitaru executions``: list, get, logs, statistics, watch."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Annotated

import typer

from kitaru.cli import memory_views, output, views
from kitaru.cli.output import Form, Output
from kitaru.client import KitaruClient
from kitaru.models import ExecutionStatus, LogEntry


def _known_ids() -> list[str]:
    return [execution.exec_id for execution in KitaruClient().executions.list(limit=50)]


ExecId = Annotated[str, typer.Argument(metavar="ID", help="The execution, kr-…", autocompletion=_known_ids)]


def list_executions(
    flow: Annotated[str | None, typer.Option(help="Only of this flow.")] = None,
    status: Annotated[ExecutionStatus | None, typer.Option(help="Only with this status.")] = None,
    stack: Annotated[str | None, typer.Option(help="Only on this stack.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only created since then (UTC).")] = None,
    limit: Annotated[int, typer.Option(help="The most to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    form: Output = Form.TEXT,
) -> None:
    """List executions, newest first.

    Example: kitaru executions list --status waiting
    """
    client = KitaruClient()
    client.executions.sweep()
    page = client.executions.list(flow, status and status.value, stack, since, limit, cursor)
    output.many("executions list", form, page, lambda: views.executions(page), cursor=page.cursor)


def get(
    exec_id: ExecId,
    at: Annotated[
        str | None, typer.Option(help="Show what was known when this call began (its id, or a name).")
    ] = None,
    form: Output = Form.TEXT,
) -> None:
    """Show an execution: its calls, what it waits for, why it failed.

    Example: kitaru executions get kr-0123456789abcdef --at decide
    """
    client = KitaruClient()
    if at is not None:
        moment = client.executions.at(exec_id, at)
        output.one("executions get", form, moment, lambda: memory_views.moment(moment))
        return
    execution = client.executions.get(exec_id)

    def show() -> None:
        views.execution(execution)
        for wait in client.executions.pending_waits(exec_id)[1:]:
            views.question(wait)

    output.one("executions get", form, execution, show)


def logs(
    exec_id: ExecId,
    checkpoint: Annotated[str | None, typer.Option(help="Only of this checkpoint (name or call id).")] = None,
    limit: Annotated[int | None, typer.Option(help="The most lines to show.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the execution ends.")] = False,
    verbose: Annotated[
        int, typer.Option("-v", count=True, help="-v: with time and call; -vv: with logger too.")
    ] = 0,
    grouped: Annotated[bool, typer.Option(help="By call, each under its name.")] = False,
    form: Output = Form.TEXT,
) -> None:
    """Show what an execution printed and logged, oldest first.

    Example: kitaru executions logs kr-0123456789abcdef --checkpoint fetch --follow
    """
    found = KitaruClient().executions.logs(exec_id, checkpoint, limit, follow)
    if follow:
        for entry in found:
            output.line(entry) if form is Form.JSON else print(_log_line(entry, verbose), flush=True)
        return
    entries = list(found)

    def show() -> None:
        if not grouped:
            for entry in entries:
                print(_log_line(entry, verbose))
            return
        by_call = sorted(entries, key=lambda entry: entry.call_id or "")
        for call_id, lines in itertools.groupby(by_call, key=lambda entry: entry.call_id):
            print(f"== {call_id or 'flow'}")
            for entry in lines:
                print(f"  {_log_line(entry, verbose)}")

    output.many("executions logs", form, entries, show)


def _log_line(entry: LogEntry, verbose: int) -> str:
    if not verbose:
        return entry.message
    where = entry.call_id or "flow"
    source = f" {entry.logger or entry.stream}" if verbose > 1 else ""
    return f"{entry.at:%H:%M:%S.%f} {entry.level:<7} {where}{source}: {entry.message}"


def statistics(
    group_by: Annotated[str, typer.Option(help="flow, model, status, day or stack.")] = "flow",
    form: Output = Form.TEXT,
) -> None:
    """Count executions, their mean duration, and what model calls used and cost.

    Example: kitaru executions statistics --group-by day
    """
    rows = KitaruClient().executions.statistics(group_by)
    output.many("executions statistics", form, rows, lambda: views.rows(rows))


def watch(
    exec_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The execution; default: the newest.")
    ] = None,
    form: Output = Form.TEXT,
) -> None:
    """Follow an execution live until it ends.

    Example: kitaru executions watch kr-0123456789abcdef
    """
    client = KitaruClient()
    wanted = exec_id or client.executions.latest().exec_id
    for event in client.executions.events(wanted):
        if form is Form.JSON:
            output.line(event)
        else:
            views.event(event)


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="An execution, kr-…", autocompletion=_known_ids)],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.", autocompletion=_known_ids)],
    form: Output = Form.TEXT,
) -> None:
    """Compare two executions: inputs, calls and results, by their digests.

    Example: kitaru executions diff kr-0123456789abcdef kr-fedcba9876543210
    """
    found = KitaruClient().executions.diff(first, second)
    output.one("executions diff", form, found, lambda: views.execution_diff(found))


def preflight(
    flow: Annotated[str | None, typer.Option(help="Only executions of this flow.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for each execution.")] = 60.0,
    form: Output = Form.TEXT,
) -> None:
    """Before a deploy: say what the code as it stands now would do with every running or waiting execution.

    No checkpoint's body runs and nothing is written. Exit code 1 when any would not go on.

    Example: kitaru executions preflight --flow review
    """
    results = KitaruClient().executions.preflight(flow, timeout)
    output.many("executions preflight", form, results, lambda: views.preflight(results))
    if not all(result.is_safe for result in results):
        raise typer.Exit(1)


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.command("list")(list_executions)
    group.command("get")(get)
    group.command("logs")(logs)
    group.command("statistics")(statistics)
    group.command("watch")(watch)
    group.command("diff")(diff)
    group.command("preflight")(preflight)
