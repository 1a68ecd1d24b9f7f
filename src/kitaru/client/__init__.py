"""The one API for reading and managing executions; the CLI is a face of it.

Example:
    >>> from kitaru.client import KitaruClient
    >>> client = KitaruClient()  # the database of the current settings, opened on first use
    >>> # for execution in client.executions.list(status="waiting"): print(execution.exec_id)
"""

from __future__ import annotations

from kitaru.client.asynchronous import AsyncKitaruClient
from kitaru.client.synchronous import KitaruClient
from kitaru.models import (
    ArtifactRef,
    CheckpointCall,
    Event,
    Execution,
    ExecutionStatus,
    Failure,
    LogEntry,
    PendingWait,
    PreflightResult,
)

__all__ = [
    "ArtifactRef",
    "AsyncKitaruClient",
    "CheckpointCall",
    "Event",
    "Execution",
    "ExecutionStatus",
    "Failure",
    "KitaruClient",
    "LogEntry",
    "PendingWait",
    "PreflightResult",
]
