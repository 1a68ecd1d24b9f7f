"""What the client returns: frozen models, light enough for long lists. Values are loaded only when asked for."""

from __future__ import annotations

from kitaru.models.artifacts import ArtifactRef
from kitaru.models.base import Failure
from kitaru.models.calls import Attempt, CheckpointCall, LlmCall, RunningCall, ToolCall
from kitaru.models.diffs import ArtifactDiff, CallDiff, ExecutionDiff, ValueChange, ValueDiff
from kitaru.models.executions import (
    Event,
    Execution,
    ExecutionPage,
    ExecutionStatus,
    LogEntry,
    PendingWait,
    PreflightResult,
)
from kitaru.models.lineage import Lineage, LineageEdge
from kitaru.models.registry import ModelAlias, Secret

__all__ = [
    "ArtifactDiff",
    "ArtifactRef",
    "Attempt",
    "CallDiff",
    "CheckpointCall",
    "Event",
    "Execution",
    "ExecutionDiff",
    "ExecutionPage",
    "ExecutionStatus",
    "Failure",
    "Lineage",
    "LineageEdge",
    "LlmCall",
    "LogEntry",
    "ModelAlias",
    "PendingWait",
    "PreflightResult",
    "RunningCall",
    "Secret",
    "ToolCall",
    "ValueChange",
    "ValueDiff",
]
