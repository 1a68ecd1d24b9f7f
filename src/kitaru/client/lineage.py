"""Lineage: from an artifact up to what it came from, or down to what came of it, across executions."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from kitaru.backend import Backend
from kitaru.client import mapping
from kitaru.client.origins import Origins, memory_edge
from kitaru.errors import KitaruStateError, KitaruUsageError
from kitaru.models import ArtifactRef, Lineage, LineageEdge
from kitaru.store.memory_records import Scope
from kitaru.store.memory_upkeep import version_of

Direction = Literal["up", "down"]


def trace(backend: Backend, artifact_id: str, direction: str, depth: int | None) -> Lineage:
    """The graph around an artifact, nearest first. See ``Artifacts.lineage``."""
    if direction != "up" and direction != "down":
        raise KitaruUsageError(f"direction is up or down, not {direction!r}.")
    if depth is not None and depth < 1:
        raise KitaruUsageError(f"depth counts the edges to follow: 1 or more, not {depth}.")
    walk = _Walk(backend, direction)
    exec_id = artifact_id.partition("/")[0]
    root = walk.ref(artifact_id)
    if root is None:
        backend.store.status(exec_id)
    if root is None:
        raise KitaruStateError(
            f"Execution {exec_id} has no artifact {artifact_id!r}. `kitaru artifacts list {exec_id}` lists them."
        )
    artifacts: dict[str, ArtifactRef] = {artifact_id: root}
    edges: list[LineageEdge] = []
    gone: dict[str, None] = {}
    level, distance = [artifact_id], 0
    while level and (depth is None or distance < depth):
        distance += 1
        below: list[str] = []
        for here in level:
            for edge in walk.edges(here):
                edges.append(edge)
                there = edge.source if direction == "up" else edge.target
                if there in artifacts or there in gone:
                    continue
                found = walk.ref(there)
                if found is None:
                    gone[there] = None
                else:
                    artifacts[there] = found
                    below.append(there)
        level = below
    cut = [here for here in level if walk.edges(here)]
    return Lineage(
        root=artifact_id, direction=direction, artifacts=artifacts, edges=edges, gone=list(gone), cut=cut
    )


class _Walk:
    def __init__(self, backend: Backend, direction: Direction) -> None:
        self._backend = backend
        self._direction = direction
        self._parts: dict[str, _Part | None] = {}

    def _part(self, exec_id: str) -> _Part | None:
        """One execution; None when it was deleted."""
        if exec_id not in self._parts:
            row = mapping.known_execution(self._backend, exec_id)
            self._parts[exec_id] = None if row is None else _Part(self._backend, Origins(self._backend, row))
        return self._parts[exec_id]

    def ref(self, artifact_id: str) -> ArtifactRef | None:
        if version_of(artifact_id) is not None:
            return mapping.memory_artifact(self._backend, artifact_id)
        part = self._part(artifact_id.partition("/")[0])
        return None if part is None else part.origins.ref(artifact_id)

    def edges(self, artifact_id: str) -> list[LineageEdge]:
        named = version_of(artifact_id)
        if named is not None:
            return self._memory_edges(artifact_id, *named)
        exec_id = artifact_id.partition("/")[0]
        part = self._part(exec_id)
        assert part is not None
        if self._direction == "up":
            edges = part.origins.into(artifact_id)
            if len(edges) == 1 and edges[0].kind in ("replay", "cache") and self.ref(edges[0].source) is None:
                return part.origins.into(artifact_id, original_gone=True)
            return edges
        found = list(part.out_of.get(artifact_id, []))
        for other in (*part.relatives, *part.takers.get(artifact_id, ())):
            relative = self._part(other)
            if relative is not None:
                found += [edge for edge in relative.out_of.get(artifact_id, []) if edge not in found]
        return found

    def _memory_edges(self, artifact_id: str, scope: Scope, key: str, version: int) -> list[LineageEdge]:
        store = self._backend.store
        if self._direction == "up":
            found = store.memory.read(scope, key, version=version).version
            return [memory_edge(found)] if found is not None and found.exec_id is not None else []
        return [
            LineageEdge(
                source=artifact_id,
                target=f"{taker}/{link.call_id}/output",
                kind="memory",
                inferred=False,
                via=link.call_id,
            )
            for taker, link in store.reads.links_to(artifact_id)
        ]


class _Part:
    """One execution of the walk."""

    def __init__(self, backend: Backend, origins: Origins) -> None:
        self._backend = backend
        self.origins = origins

    @cached_property
    def out_of(self) -> dict[str, list[LineageEdge]]:
        """The edges to this execution's artifacts, by their sources."""
        found: dict[str, list[LineageEdge]] = {}
        for edge in self.origins.every_edge():
            found.setdefault(edge.source, []).append(edge)
        return found

    @cached_property
    def relatives(self) -> list[str]:
        """Executions whose artifacts come of this one's without a link: its replays, its children, its parent."""
        row = self.origins.row
        parent = [row.parent_exec_id] if row.parent_exec_id is not None else []
        replays = self._backend.store.reads.replays_of(row.exec_id)
        return list(dict.fromkeys([*replays, *self.origins.started(), *parent]))

    @cached_property
    def takers(self) -> dict[str, list[str]]:
        """Artifact -> executions that loaded it, or took it from a cache."""
        found: dict[str, dict[str, None]] = {}
        for taker, link in self._backend.store.reads.links_to(self.origins.exec_id):
            found.setdefault(link.source, {})[taker] = None
        return {source: list(takers) for source, takers in found.items()}
