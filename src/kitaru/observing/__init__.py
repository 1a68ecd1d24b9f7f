"""Sees the model calls of SDKs that no span shows, in checkpoints that know nothing of it."""

from __future__ import annotations

from kitaru.observing.imports import after_import

__all__ = ["install"]


def install() -> None:
    """Observe what this process has imported, or will import. Cheap, and done once."""
    after_import("claude_agent_sdk._internal.query", "kitaru.observing.claude")
