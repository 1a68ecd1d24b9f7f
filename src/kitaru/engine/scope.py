"""Where the running code is: in a flow's body, in a checkpoint's body, or in neither."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kitaru.engine.trails import Trail

if TYPE_CHECKING:
    from kitaru.engine.run import Run
    from kitaru.store.records import ArtifactRecord, Blob, LinkRecord, SubcallRecord


class Branch:
    """Numbers the calls of one line of control: the flow's own, or that of one asyncio task of it."""

    __slots__ = ("_counts", "path", "trail")

    def __init__(self, path: str = "", trail: Trail | None = None) -> None:
        self.path = path
        self.trail = trail or Trail()
        self._counts: dict[str, int] = {}

    def number(self, name: str) -> str:
        """The identity of the next call of this name on this branch: ``fetch#1``, ``worker~2/fetch#1``."""
        count = self._counts.get(name, 0) + 1
        self._counts[name] = count
        return f"{self.path}{name}#{count}"

    def child(self, name: str) -> Branch:
        """The branch of a task started on this branch: numbered by its coroutine's name."""
        key = f"~{name}"
        count = self._counts.get(key, 0) + 1
        self._counts[key] = count
        return Branch(f"{self.path}{name}~{count}/", Trail(self.trail))


@dataclass(slots=True)
class FlowScope:
    """A flow's body: durable calls are allowed, on this thread or this loop alone."""

    run: Run
    branch: Branch


@dataclass(slots=True)
class CheckpointScope:
    """The body of one attempt of a checkpoint: what it saves and logs is committed with its outcome."""

    run: Run
    call_id: str
    name: str
    attempt: int
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    artifacts: list[ArtifactRecord] = field(default_factory=list["ArtifactRecord"])
    blobs: list[Blob] = field(default_factory=list["Blob"])
    usage: dict[str, Any] = field(default_factory=dict[str, Any])
    links: dict[str, LinkRecord] = field(default_factory=dict[str, "LinkRecord"])
    """What it loaded from other executions, by the artifacts' ids."""

    def add_usage(self, subcall: SubcallRecord) -> None:
        """Count a model call of this attempt: what a replay that re-uses the outcome need not pay."""
        with self.run.changed:
            used = self.usage
            used["calls"] = used.get("calls", 0) + 1
            used["tokens"] = (
                used.get("tokens", 0) + (subcall.input_tokens or 0) + (subcall.output_tokens or 0)
            )
            if subcall.cost_usd is not None:
                used["cost_usd"] = used.get("cost_usd", 0.0) + subcall.cost_usd


Scope = FlowScope | CheckpointScope

current_scope: ContextVar[Scope | None] = ContextVar("kitaru_scope", default=None)
