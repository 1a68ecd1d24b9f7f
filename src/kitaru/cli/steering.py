"""``kitaru executions``: input, abort-wait, resume, retry, cancel, replay."""

from __future__ import annotations

from typing import Annotated

import typer

from kitaru.answers import parse_answer
from kitaru.cli import output, views
from kitaru.cli.executions import ExecId
from kitaru.cli.output import Form, Output
from kitaru.client import KitaruClient
from kitaru.errors import KitaruStateError, KitaruUsageError
from kitaru.models import Execution, PendingWait

WaitName = Annotated[
    str | None, typer.Option("--wait", help="The wait's name or id, where several are open.")
]


def _told(command: str, form: Form, execution: Execution, said: str) -> None:
    output.one(command, form, execution, lambda: print(said))


def input_(
    exec_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The execution, kr-…")] = None,
    wait: WaitName = None,
    value: Annotated[str | None, typer.Option(help="The answer, as JSON.")] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Ask here; without ID, all that wait.")
    ] = False,
    abort: Annotated[bool, typer.Option("--abort", help="End the wait without an answer.")] = False,
    form: Output = Form.TEXT,
) -> None:
    """Answer what an execution waits for; it then goes on by itself.

    Example: kitaru executions input kr-0123456789abcdef --value true
    """
    if interactive:
        _sweep(exec_id)
        return
    if exec_id is None:
        raise KitaruUsageError("Name the execution, or use --interactive to go through all that wait.")
    if abort and value is not None:
        raise KitaruUsageError("Give --value or --abort, not both.")
    client = KitaruClient()
    if abort:
        execution = client.executions.abort_wait(exec_id, wait)
        _told("executions input", form, execution, f"Aborted. {exec_id} goes on.")
        return
    open_waits = [w for w in client.executions.pending_waits(exec_id) if wait in (None, w.name, w.wait_id)]
    schema = open_waits[0].schema if len(open_waits) == 1 else None
    if value is None and schema is not None:
        raise KitaruUsageError(f"--value is missing; it must match the schema {schema}.")
    answer = None if value is None else parse_answer(schema, value)
    execution = client.executions.input(exec_id, wait, answer)
    _told(
        "executions input",
        form,
        execution,
        f"Answered. {exec_id} goes on; follow it: kitaru executions watch {exec_id}",
    )


def _sweep(exec_id: str | None) -> None:
    client = KitaruClient()
    waits = client.executions.pending_waits(exec_id)
    if not waits:
        print("Nothing waits for an answer.")
    for wait in waits:
        _ask(client, wait)


def _ask(client: KitaruClient, wait: PendingWait) -> None:
    views.question(wait)
    while True:
        text = typer.prompt("answer (empty: skip)", default="", show_default=False)
        if not text and wait.schema is not None:
            return
        try:
            client.executions.input(wait.exec_id, wait.wait_id, parse_answer(wait.schema, text))
        except KitaruStateError as error:
            print(error)
            return
        except KitaruUsageError as error:
            print(error)
        else:
            print("Answered.")
            return


def abort_wait(exec_id: ExecId, wait: WaitName = None, form: Output = Form.TEXT) -> None:
    """End a wait without an answer: the flow gets an error there.

    Example: kitaru executions abort-wait kr-0123456789abcdef
    """
    execution = KitaruClient().executions.abort_wait(exec_id, wait)
    _told("executions abort-wait", form, execution, f"Aborted. {exec_id} goes on.")


Wait = Annotated[bool, typer.Option("--wait", help="Follow it until it ends or suspends.")]


def _launched(command: str, form: Form, execution: Execution, wait: bool) -> None:
    exec_id = execution.exec_id
    if not wait:
        _told(command, form, execution, f"{exec_id} goes on. Follow it: kitaru executions watch {exec_id}")
        return
    client = KitaruClient()
    for event in client.executions.events(exec_id):
        if form is Form.TEXT:
            views.event(event)
        if event.kind == "status" and event.status != "running":
            break
    execution = client.executions.get(exec_id)
    output.one(command, form, execution, lambda: views.execution(execution))
    if execution.status.is_finished and not execution.status.is_successful:
        raise typer.Exit(1)


Budget = Annotated[
    float | None,
    typer.Option(
        "--budget-usd", min=0, help="What its model calls may cost from its start on, in US dollars."
    ),
]


def resume(exec_id: ExecId, wait: Wait = False, budget_usd: Budget = None, form: Output = Form.TEXT) -> None:
    """Go on with an execution whose process died, or whose budget was spent.

    Example: kitaru executions resume kr-0123456789abcdef --wait
    """
    _launched("executions resume", form, KitaruClient().executions.resume(exec_id, budget_usd), wait)


def retry(exec_id: ExecId, wait: Wait = False, budget_usd: Budget = None, form: Output = Form.TEXT) -> None:
    """Run a failed execution again from what is recorded: only what failed runs again.

    Example: kitaru executions retry kr-0123456789abcdef
    """
    _launched("executions retry", form, KitaruClient().executions.retry(exec_id, budget_usd), wait)


def cancel(exec_id: ExecId, form: Output = Form.TEXT) -> None:
    """Cancel an execution and its children.

    Example: kitaru executions cancel kr-0123456789abcdef
    """
    execution = KitaruClient().executions.cancel(exec_id)
    said = "is cancelled" if execution.status.is_finished else "is told to stop"
    _told("executions cancel", form, execution, f"{exec_id} {said}.")


def replay(
    exec_id: ExecId,
    from_: Annotated[str | None, typer.Option("--from", help="A checkpoint, a call id, or: changed.")] = None,
    args: Annotated[str | None, typer.Option(help="Flow inputs to change, as a JSON object.")] = None,
    overrides: Annotated[
        str | None, typer.Option(help='As JSON: {"checkpoint.NAME": …, "wait.NAME": …, "input.NAME": …}.')
    ] = None,
    effects: Annotated[
        str | None,
        typer.Option(help="What effects do that would run again: recorded (default), ask or live."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(help="Which memory it sees: as_of the original (default), or live."),
    ] = None,
    wait: Wait = False,
    form: Output = Form.TEXT,
) -> None:
    """Run an execution again as a new one; what came before --from is answered from the record.

    Example: kitaru executions replay kr-0123456789abcdef --from draft --overrides '{"wait.approve": true}'
    """
    inputs = output.parsed(args, "--args")
    changed = output.parsed(overrides, "--overrides")
    execution = KitaruClient().executions.replay(exec_id, from_, changed, effects, memory, **inputs)
    _launched("executions replay", form, execution, wait)


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.command("input")(input_)
    group.command("abort-wait")(abort_wait)
    group.command("resume")(resume)
    group.command("retry")(retry)
    group.command("cancel")(cancel)
    group.command("replay")(replay)
