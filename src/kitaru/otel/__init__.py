"""Model and tool calls of instrumented SDKs, picked up from their OpenTelemetry spans; needs the extra ``otel``."""

from __future__ import annotations

from kitaru.errors import KitaruFeatureNotAvailableError

try:
    from kitaru.otel.processor import KitaruSpanProcessor
except ModuleNotFoundError as error:
    raise KitaruFeatureNotAvailableError(
        f'kitaru.otel needs an extra: pip install "kitaru[otel]". ({error})'
    ) from error

__all__ = ["KitaruSpanProcessor"]
