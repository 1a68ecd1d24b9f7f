"""Pydantic AI agents whose runs are durable; needs the extra ``pydantic-ai``."""

from __future__ import annotations

from kitaru.errors import KitaruFeatureNotAvailableError

try:
    from kitaru.adapters.pydantic_ai.agent import KitaruAgent, wrap
    from kitaru.adapters.pydantic_ai.people import hitl_tool
    from kitaru.adapters.pydantic_ai.recording import ToolCaptureConfig
except ModuleNotFoundError as error:
    raise KitaruFeatureNotAvailableError(
        f'kitaru.adapters.pydantic_ai needs an extra: pip install "kitaru[pydantic-ai]". ({error})'
    ) from error

__all__ = ["KitaruAgent", "ToolCaptureConfig", "hitl_tool", "wrap"]
