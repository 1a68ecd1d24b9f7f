"""The commands put together, and what becomes of their errors."""

from __future__ import annotations

import os
import sys
import traceback

import typer

from kitaru import __version__
from kitaru.backend import distrust_data
from kitaru.cli import artifacts, executions, mcp, memory, models, project, running, secrets, steering
from kitaru.errors import KitaruError, KitaruUsageError
from kitaru.redaction import redactor

app = typer.Typer(
    name="kitaru",
    help="Durable execution for AI agents.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog='Start a flow: [bold]kitaru run my_module:my_flow --args \'{"topic": "x"}\'[/bold]',
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kitaru {__version__}")
        raise typer.Exit


@app.callback()
def top(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", "-V", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Durable execution for AI agents."""
    if context.invoked_subcommand != "run":
        distrust_data()


project.register(app)
running.register(app)
group = typer.Typer(no_args_is_help=True, help="Look at executions and steer them.", rich_markup_mode="rich")
executions.register(group)
steering.register(group)
app.add_typer(group, name="executions")
artifacts.register(app)
memory.register(app)
mcp.register(app)
models.register(app)
secrets.register(app)


def run() -> int:
    """Run the command line; returns the exit code: 0 success, 2 bad usage, 1 a failure."""
    try:
        app()
    except BrokenPipeError:
        # Who read our output has gone; nothing more can be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KitaruError as error:
        told = traceback.format_exc() if os.environ.get("KITARU_DEBUG") else f"Error: {error}"
        print(redactor.text(told), file=sys.stderr)
        return 2 if isinstance(error, KitaruUsageError) else 1
    return 0
