"""Turns of the Claude Agent SDK that are durable; needs the extra ``claude-agent-sdk``."""

from __future__ import annotations

from kitaru.errors import KitaruFeatureNotAvailableError

try:
    from kitaru.adapters.claude_agent_sdk.asking import query, run, run_async
    from kitaru.adapters.claude_agent_sdk.session import Session, Turn
    from kitaru.adapters.turns import Approval
except ModuleNotFoundError as error:
    raise KitaruFeatureNotAvailableError(
        f'kitaru.adapters.claude_agent_sdk needs an extra: pip install "kitaru[claude-agent-sdk]". ({error})'
    ) from error

__all__ = ["Approval", "Session", "Turn", "query", "run", "run_async"]
