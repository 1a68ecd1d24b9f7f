"""``kitaru mcp``: tell an agent's client of the server ``kitaru-mcp``."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast
from uuid import uuid4

import typer

from kitaru.cli import output
from kitaru.cli.output import Form, Output
from kitaru.errors import KitaruUsageError


class ClientName(StrEnum):
    """Whose configuration."""

    CLAUDE_CODE = "claude-code"
    CURSOR = "cursor"
    VSCODE = "vscode"


# The file below the project's folder, and the key that holds the servers.
_FILES = {
    ClientName.CLAUDE_CODE: (".mcp.json", "mcpServers"),
    ClientName.CURSOR: (".cursor/mcp.json", "mcpServers"),
    ClientName.VSCODE: (".vscode/mcp.json", "servers"),
}


def install(
    client: Annotated[ClientName, typer.Argument(help="Whose configuration.")],
    folder: Annotated[Path, typer.Option(help="The project's folder.", file_okay=False)] = Path(),
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Without tools that change anything.")
    ] = False,
    show: Annotated[bool, typer.Option("--print", help="Print it in place of writing it.")] = False,
    form: Output = Form.TEXT,
) -> None:
    """Write the configuration by which an agent's client starts kitaru-mcp in this project.

    What the file holds besides stays as it is.

    Example: kitaru mcp install claude-code --read-only
    """
    name, key = _FILES[client]
    server: dict[str, Any] = {"command": _command(), "args": ["--read-only"] if read_only else []}
    if client is ClientName.VSCODE:
        server["type"] = "stdio"
    path = folder / name
    item = {"client": client.value, "path": str(path), "written": not show, "server": server}
    if show:
        output.one("mcp install", form, item, lambda: print(json.dumps({key: {"kitaru": server}}, indent=2)))
        return
    _write(path, _merged(path, key, server))
    output.one(
        "mcp install", form, item, lambda: print(f"{path} names the server kitaru. Restart {client.value}.")
    )


def _command() -> str:
    beside = Path(sys.executable).with_name("kitaru-mcp")
    return str(beside) if beside.exists() else "kitaru-mcp"


def _merged(path: Path, key: str, server: dict[str, Any]) -> dict[str, Any]:
    text = path.read_text() if path.exists() else "{}"
    try:
        found: Any = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise KitaruUsageError(
            f"{path} is not JSON ({error}), so nothing was written. Put it right, or add by hand what "
            "`kitaru mcp install … --print` shows."
        ) from error
    if isinstance(found, dict):
        held = cast("dict[str, Any]", found)
        servers = held.get(key, {})
        if isinstance(servers, dict):
            return {**held, key: {**cast("dict[str, Any]", servers), "kitaru": server}}
    raise KitaruUsageError(
        f"{path} holds no object under {key!r}, so nothing was written. Put it right first."
    )


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with aside.open("x") as file:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(
        no_args_is_help=True, help="Give agents the tools of Kitaru.", rich_markup_mode="rich"
    )
    group.command("install")(install)
    app.add_typer(group, name="mcp")
