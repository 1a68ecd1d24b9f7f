"""Tools for artifacts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kitaru.client import KitaruClient
from kitaru.mcp.answers import Json, bounded, item, items

ArtifactId = Annotated[str, Field(description="The artifact's id, as kitaru_artifacts_list shows it.")]


def kitaru_artifacts_list(
    exec_id: Annotated[str, Field(description="The execution's id.")],
    name: Annotated[str | None, Field(description="A checkpoint's name, or one given to save.")] = None,
    kind: Annotated[
        str | None, Field(description="input, output, prompt, response, context or blob.")
    ] = None,
    producing_call: Annotated[str | None, Field(description="The id of the call that made them.")] = None,
    limit: Annotated[int | None, Field(description="The most to return; default 100.", ge=1, le=1000)] = None,
) -> list[Json]:
    """List what an execution kept: inputs, outputs, saved values, prompts and responses, with previews."""
    return items(KitaruClient().artifacts.list(exec_id, name, kind, producing_call, limit or 100))


def kitaru_artifacts_get(
    artifact_id: ArtifactId,
    with_value: Annotated[
        bool, Field(description="The value too, as far as it is not too long; else its preview alone.")
    ] = False,
) -> Json:
    """Show an artifact."""
    found = KitaruClient().artifacts.get(artifact_id)
    value = bounded(found.load(plain=True)) if with_value else {}
    return item(found) | value


def kitaru_artifacts_lineage(
    artifact_id: ArtifactId,
    direction: Annotated[
        Literal["up", "down"], Field(description="up: what it came from; down: what came of it.")
    ] = "up",
    depth: Annotated[int, Field(description="The most steps to follow.", ge=1, le=1000)] = 20,
) -> Json:
    """Trace what an artifact came from or what came of it, across executions."""
    return item(KitaruClient().artifacts.lineage(artifact_id, direction, depth))


def kitaru_artifacts_diff(
    a: ArtifactId, b: Annotated[str, Field(description="The other artifact's id.")]
) -> Json:
    """Compare two values: structures by their parts, text line by line, bytes by size and digest."""
    return item(KitaruClient().artifacts.diff(a, b))
