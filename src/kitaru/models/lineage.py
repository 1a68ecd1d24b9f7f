"""Where an artifact came from, and what came of it."""

from __future__ import annotations

from typing import Literal

from kitaru.models.artifacts import ArtifactRef
from kitaru.models.base import Model


class LineageEdge(Model):
    """One artifact came of another.

    Attributes:
        source: the id of the artifact that was there first.
        target: the id of the one that came of it.
        kind: how: ``argument`` (the value was passed on), ``part`` (inside a list, a dict, a model), ``derived`` (after
            the flow's own code had worked on it), ``condition`` (it decided whether the call was made), ``call`` (a
            call's inputs and what it gave), ``result``, and between executions ``load``, ``cache``, ``replay`` and
            ``child``.
        inferred: read off the flow's source, or from equal small values; else equal digests or the journal prove it.
        via: the call through which; None for the flow's own inputs and result.
    """

    source: str
    target: str
    kind: str
    inferred: bool = False
    via: str | None = None


class Lineage(Model):
    """What leads to an artifact (``up``), or what it led to (``down``): a graph, across executions.

    Attributes:
        root: the artifact's id.
        direction: ``up`` or ``down``.
        artifacts: what was reached, by id, the root first.
        edges: nearest first.
        gone: ids of artifacts whose executions were deleted.
        cut: ids of artifacts that lead further than ``depth``.
    """

    root: str
    direction: Literal["up", "down"]
    artifacts: dict[str, ArtifactRef]
    edges: list[LineageEdge]
    gone: list[str] = []
    cut: list[str] = []
