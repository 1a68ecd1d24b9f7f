"""What tokens cost, by the offline data of genai-prices (https://github.com/pydantic/genai-prices)."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from kitaru.tracking import Usage

__all__ = ["price"]

# How the price list calls providers that have another name here.
_LISTED = {
    "vertex": "google",
    "google-cloud": "google",
    "google-gla": "google",
    "bedrock": "aws",
    "openai-chat": "openai",
}


def price(usage: Usage, provider: str | None, model: str, at: float | None = None) -> float | None:
    """The price of a model call in US dollars; None when it is not known, which is not the same as 0.

    Args:
        usage: its tokens.
        provider: for example ``anthropic``; None lets the list find it by the model's name.
        model: the model's name, without the provider.
        at: when it was called, in seconds since the epoch: prices change. Default: now.

    Example:
        >>> price(Usage(input_tokens=100_000), "anthropic", "claude-haiku-4-5")
        0.1
        >>> price(Usage(input_tokens=1_000_000), "ollama", "my-own-model") is None
        True
    """
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    if find_spec("genai_prices") is None:
        return None
    import genai_prices

    counted: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
    moment = None if at is None else datetime.fromtimestamp(at, UTC)
    try:
        found = genai_prices.calc_price(
            genai_prices.Usage(**{name: count for name, count in counted.items() if count is not None}),
            model_ref=model,
            provider_id=_LISTED.get(provider, provider) if provider else None,
            genai_request_timestamp=moment,
        )
    except (LookupError, ValueError):  # not on the list, or counts that contradict each other
        return None
    return float(found.total_price)
