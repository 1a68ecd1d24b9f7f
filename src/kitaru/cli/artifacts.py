"""``kitaru artifacts``: list, get, download, diff, lineage."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kitaru.cli import output, views
from kitaru.cli.executions import ExecId
from kitaru.cli.lineage import draw
from kitaru.cli.output import Form, Output
from kitaru.client import KitaruClient
from kitaru.errors import KitaruUsageError

ArtifactId = Annotated[str, typer.Argument(metavar="ARTIFACT", help="As `kitaru artifacts list` shows it.")]


class Direction(StrEnum):
    """Which way to look."""

    UP = "up"
    DOWN = "down"


def list_artifacts(
    exec_id: ExecId,
    name: Annotated[str | None, typer.Option(help="A checkpoint's name, or one given to save.")] = None,
    kind: Annotated[str | None, typer.Option(help="input, output, or the type given to save.")] = None,
    limit: Annotated[int, typer.Option(help="The most to show.")] = 100,
    form: Output = Form.TEXT,
) -> None:
    """List what an execution kept.

    Example: kitaru artifacts list kr-0123456789abcdef --kind output
    """
    found = KitaruClient().artifacts.list(exec_id, name, kind, limit=limit)
    output.many("artifacts list", form, found, lambda: views.artifacts(found))


def get(artifact_id: ArtifactId, form: Output = Form.TEXT) -> None:
    """Show one artifact.

    Example: kitaru artifacts get 'kr-0123456789abcdef/draft#1/output'
    """
    found = KitaruClient().artifacts.get(artifact_id)
    output.one("artifacts get", form, found, lambda: views.artifacts([found]))


def download(
    artifact_id: ArtifactId,
    to: Annotated[
        Path | None, typer.Option("--to", help="The file to write; default: the artifact's name, here.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    form: Output = Form.TEXT,
) -> None:
    """Write an artifact of bytes or text to a file.

    Example: kitaru artifacts download 'kr-0123456789abcdef/record#1/saved/1' --to recording.mp4
    """
    found = KitaruClient().artifacts.get(artifact_id)
    target = to or Path(Path(found.name).name)
    if target.exists() and not force:
        raise KitaruUsageError(
            f"{target} is there already. Name another file with --to, or replace it with --force."
        )
    found.download(target)
    item = {"artifact_id": found.artifact_id, "path": str(target), "size": target.stat().st_size}
    output.one("artifacts download", form, item, lambda: print(f"{target}: {item['size']} bytes"))


def diff(first: ArtifactId, second: ArtifactId, form: Output = Form.TEXT) -> None:
    """Compare two artifacts: structures by their parts, text line by line, bytes by size and digest.

    Example: kitaru artifacts diff 'kr-0123456789abcdef/draft#1/output' 'kr-fedcba9876543210/draft#1/output'
    """
    found = KitaruClient().artifacts.diff(first, second)
    output.one("artifacts diff", form, found, lambda: views.artifact_diff(found))


def lineage(
    artifact_id: ArtifactId,
    direction: Annotated[
        Direction, typer.Option(help="up: what it came from; down: what came of it.")
    ] = Direction.UP,
    depth: Annotated[int, typer.Option(help="The most steps to follow; 0: all.", min=0)] = 50,
    form: Output = Form.TEXT,
) -> None:
    """Show what an artifact came from, or what came of it, across executions.

    Example: kitaru artifacts lineage 'kr-0123456789abcdef/publish#1/output'
    """
    found = KitaruClient().artifacts.lineage(artifact_id, direction.value, depth or None)
    output.one("artifacts lineage", form, found, lambda: draw(found, depth))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Look at what runs kept.", rich_markup_mode="rich")
    group.command("list")(list_artifacts)
    group.command("get")(get)
    group.command("download")(download)
    group.command("diff")(diff)
    group.command("lineage")(lineage)
    app.add_typer(group, name="artifacts")
