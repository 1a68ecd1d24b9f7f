"""Kitaru: durable execution for AI agents in plain Python.

Example:
    >>> import kitaru
    >>> @kitaru.checkpoint
    ... def fetch(topic: str) -> str:
    ...     return f"notes on {topic}"
    >>> @kitaru.flow
    ... def research(topic: str) -> str:
    ...     return fetch(topic)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kitaru import aio, errors, memory, testing
    from kitaru.artifacts import load, log, progress, save
    from kitaru.checkpoints import Checkpoint, checkpoint
    from kitaru.client import AsyncKitaruClient, KitaruClient
    from kitaru.config import ImageSettings, configure
    from kitaru.durable import now, random, uuid4
    from kitaru.engine.backoff import Backoff
    from kitaru.errors import (
        FailureOrigin,
        KitaruBackendError,
        KitaruBudgetExceeded,
        KitaruConflictError,
        KitaruContextError,
        KitaruDivergenceError,
        KitaruError,
        KitaruExecutionError,
        KitaruFeatureNotAvailableError,
        KitaruLogRetrievalError,
        KitaruModelError,
        KitaruModelOutputError,
        KitaruRuntimeError,
        KitaruStateError,
        KitaruUsageError,
        KitaruUserCodeError,
        KitaruWaitExpired,
        KitaruWaitValidationError,
    )
    from kitaru.flows import Flow, flow
    from kitaru.handles import FlowHandle
    from kitaru.model_calls.llm import llm
    from kitaru.models import ExecutionStatus
    from kitaru.runtime import current, current_execution_id
    from kitaru.secrets import create_secret, delete_secret, get_secret
    from kitaru.waits import sleep, sleep_until, wait

__version__ = "0.1.0"

_EXPORTS = {
    "kitaru.artifacts": ("load", "log", "progress", "save"),
    "kitaru.checkpoints": ("Checkpoint", "checkpoint"),
    "kitaru.client": ("AsyncKitaruClient", "KitaruClient"),
    "kitaru.config": ("ImageSettings", "configure"),
    "kitaru.durable": ("now", "random", "uuid4"),
    "kitaru.engine.backoff": ("Backoff",),
    "kitaru.errors": (
        "FailureOrigin",
        "KitaruBackendError",
        "KitaruBudgetExceeded",
        "KitaruConflictError",
        "KitaruContextError",
        "KitaruDivergenceError",
        "KitaruError",
        "KitaruExecutionError",
        "KitaruFeatureNotAvailableError",
        "KitaruLogRetrievalError",
        "KitaruModelError",
        "KitaruModelOutputError",
        "KitaruRuntimeError",
        "KitaruStateError",
        "KitaruUsageError",
        "KitaruUserCodeError",
        "KitaruWaitExpired",
        "KitaruWaitValidationError",
    ),
    "kitaru.flows": ("Flow", "flow"),
    "kitaru.handles": ("FlowHandle",),
    "kitaru.model_calls.llm": ("llm",),
    "kitaru.models": ("ExecutionStatus",),
    "kitaru.runtime": ("current", "current_execution_id"),
    "kitaru.secrets": ("create_secret", "delete_secret", "get_secret"),
    "kitaru.waits": ("sleep", "sleep_until", "wait"),
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}
_MODULES = ("aio", "errors", "memory", "testing")

__all__ = [
    "AsyncKitaruClient",
    "Backoff",
    "Checkpoint",
    "ExecutionStatus",
    "FailureOrigin",
    "Flow",
    "FlowHandle",
    "ImageSettings",
    "KitaruBackendError",
    "KitaruBudgetExceeded",
    "KitaruClient",
    "KitaruConflictError",
    "KitaruContextError",
    "KitaruDivergenceError",
    "KitaruError",
    "KitaruExecutionError",
    "KitaruFeatureNotAvailableError",
    "KitaruLogRetrievalError",
    "KitaruModelError",
    "KitaruModelOutputError",
    "KitaruRuntimeError",
    "KitaruStateError",
    "KitaruUsageError",
    "KitaruUserCodeError",
    "KitaruWaitExpired",
    "KitaruWaitValidationError",
    "__version__",
    "aio",
    "checkpoint",
    "configure",
    "create_secret",
    "current",
    "current_execution_id",
    "delete_secret",
    "errors",
    "flow",
    "get_secret",
    "llm",
    "load",
    "log",
    "memory",
    "now",
    "progress",
    "random",
    "save",
    "sleep",
    "sleep_until",
    "testing",
    "uuid4",
    "wait",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"kitaru.{name}")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'kitaru' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
