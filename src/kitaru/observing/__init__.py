"""Sees the model calls of SDKs that no span shows, in checkpoints that know nothing of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kitaru.observing.imports import after_import

__all__ = ["continued", "install", "known_totals"]

known_totals: ContextVar[Mapping[str, dict[str, Any]] | None] = ContextVar(
    "kitaru_known_totals", default=None
)
"""Model -> what the session that goes on had used before; None where that is not known."""


@contextmanager
def continued(totals: Mapping[str, dict[str, Any]] | None) -> Generator[None]:
    """While this lasts, a session that goes on had used this before, as its SDK has summed it up."""
    token = known_totals.set(totals)
    try:
        yield
    finally:
        known_totals.reset(token)


def install() -> None:
    """Observe what this process has imported, or will import. Cheap, and done once."""
    after_import("claude_agent_sdk._internal.query", "kitaru.observing.claude")
