"""``kitaru run``: start a flow from the command line."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from kitaru.cli import output, views
from kitaru.cli.output import Form, Output
from kitaru.client import KitaruClient
from kitaru.flows import Flow
from kitaru.runners.named import find_flow


def run(
    target: Annotated[
        str, typer.Argument(metavar="MODULE:FLOW", help="my_module:my_flow, or path/to/file.py:my_flow")
    ],
    args: Annotated[str | None, typer.Option(help="The flow's inputs, as a JSON object.")] = None,
    form: Output = Form.TEXT,
) -> None:
    """Start a flow here and stay until it ends or suspends.

    Example: kitaru run agents.review:review --args '{"topic": "durable agents"}'
    """
    flow: Flow[..., object] = find_flow(target)
    # With -o json, what the flow prints must not stand in the answer.
    with redirect_stdout(sys.stderr if form is Form.JSON else sys.stdout):
        handle = flow.run(**output.parsed(args, "--args"))
        print(handle.exec_id, file=sys.stderr)
        handle.until_suspended()
    execution = KitaruClient().executions.get(handle.exec_id)
    output.one("run", form, execution, lambda: views.execution(execution))
    if execution.status.is_finished and not execution.status.is_successful:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)
