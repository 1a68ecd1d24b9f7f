"""``kitaru init``, ``status``, ``info``, ``clean``."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kitaru import __version__, cleaning, settings
from kitaru.cli import output, views
from kitaru.cli.output import Form, Output
from kitaru.client import KitaruClient
from kitaru.home import PROJECT_FILE, home, project_root, state_folder


def init(form: Output = Form.TEXT) -> None:
    """Make this folder a project: its executions are kept in .kitaru/ here.

    Example: kitaru init
    """
    folder = Path.cwd() / ".kitaru"
    folder.mkdir(mode=0o700, exist_ok=True)
    marker = folder / PROJECT_FILE
    new = not marker.exists()
    if new:
        marker.write_text(f'name = "{Path.cwd().name}"\n')
        (folder / ".gitignore").write_text("*\n")
    item = {"project": str(Path.cwd()), "created": new}
    said = f"{'Initialised' if new else 'Already initialised:'} {Path.cwd()}. Next: kitaru run MODULE:FLOW"
    output.one("init", form, item, lambda: print(said))


def status(form: Output = Form.TEXT) -> None:
    """Show whether the database can be reached, and what runs and waits.

    Example: kitaru status
    """
    client = KitaruClient()
    client.check()
    client.executions.sweep()
    counts = {row["group"]: row["executions"] for row in client.executions.statistics("status")}
    waits = client.executions.pending_waits()
    item = {"database": client.database_url, "executions": counts, "open_waits": len(waits)}

    def show() -> None:
        print(f"database: {client.database_url} (reachable)")
        print("executions: " + (", ".join(f"{n} {s}" for s, n in counts.items()) or "none yet"))
        for wait in waits:
            views.question(wait)

    output.one("status", form, item, show)


def info(form: Output = Form.TEXT) -> None:
    """Show versions, folders, and every setting with where it comes from.

    Example: kitaru info -o json
    """
    found: dict[str, Any] = {}
    for name in settings.DEFAULTS:
        value, source = settings.sourced(name)
        found[name] = {"value": value, "source": source}
    root = project_root()
    item = {
        "version": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "home": str(home()),
        "project": None if root is None else str(root),
        "state": str(state_folder()),
        "settings": found,
    }

    def show() -> None:
        for key, value in item.items():
            if key != "settings":
                print(f"{key}: {value}")
        output.table(
            "", ["setting", "value", "from"], [(n, s["value"], s["source"]) for n, s in found.items()]
        )

    output.one("info", form, item, show)


def clean(
    scope: Annotated[str, typer.Argument(help="project, global or all.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    form: Output = Form.TEXT,
) -> None:
    """Remove databases, stored values and runners' files of this machine.

    Example: kitaru clean project --dry-run
    """
    paths = cleaning.cleanable(scope)
    names = [str(path) for path in paths]
    if not dry_run and names:
        if not yes:
            typer.confirm("Remove " + ", ".join(names) + "?", abort=True, err=True)
        cleaning.clean(paths)
    verb = "Would remove" if dry_run else "Removed"
    output.many(
        "clean", form, names, lambda: print("\n".join(f"{verb} {n}" for n in names) or "Nothing to remove.")
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (init, status, info, clean):
        app.command()(command)
