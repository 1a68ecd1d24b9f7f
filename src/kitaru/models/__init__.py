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
from kitaru.models.memory import (
    CompactionRecord,
    CompactResult,
    ExecutionMoment,
    MemoryChange,
    MemoryEntry,
    MemoryScopeInfo,
    PurgeResult,
)
from kitaru.models.registry import ModelAlias, Secret

__all__ = [
    "ArtifactDiff",
    "ArtifactRef",
    "Attempt",
    "CallDiff",
    "CheckpointCall",
    "CompactResult",
    "CompactionRecord",
    "Event",
    "Execution",
    "ExecutionDiff",
    "ExecutionMoment",
    "ExecutionPage",
    "ExecutionStatus",
    "Failure",
    "Lineage",
    "LineageEdge",
    "LlmCall",
    "LogEntry",
    "MemoryChange",
    "MemoryEntry",
    "MemoryScopeInfo",
    "ModelAlias",
    "PendingWait",
    "PreflightResult",
    "PurgeResult",
    "RunningCall",
    "Secret",
    "ToolCall",
    "ValueChange",
    "ValueDiff",
]
