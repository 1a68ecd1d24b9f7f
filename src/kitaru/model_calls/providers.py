"""Clients of model providers, by pydantic-ai; made once for each provider, key and address."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kitaru.errors import KitaruFeatureNotAvailableError, KitaruUsageError
from kitaru.model_calls.registry import ModelChoice
from kitaru.secrets import get_secret

if TYPE_CHECKING:
    from pydantic_ai.models import Model

# What pydantic-ai calls a provider that has another name here.
_NAMES = {"vertex": "google-cloud"}
_KEYS = ("API_KEY", "KEY", "TOKEN")
_ADDRESSES = ("BASE_URL", "ENDPOINT", "API_BASE")
_AWS = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
    "AWS_DEFAULT_REGION": "region_name",
    "AWS_REGION": "region_name",
}


def open_model(choice: ModelChoice) -> Model:
    """The client for a model.

    Raises:
        KitaruFeatureNotAvailableError: when the provider's library is not installed.
        KitaruUsageError: for an unknown provider, or one whose key is missing.
    """
    if find_spec("pydantic_ai") is None:
        raise KitaruFeatureNotAvailableError('Model calls need an extra: pip install "kitaru[llm]".')
    values = get_secret(choice.secret) if choice.secret else {}
    return _open(choice.provider, choice.name, choice.base_url, tuple(sorted(values.items())))


@lru_cache(maxsize=64)
def _open(provider: str, name: str, base_url: str | None, values: tuple[tuple[str, str], ...]) -> Model:
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.models import infer_model
    from pydantic_ai.providers import infer_provider_class

    known = _NAMES.get(provider, provider)
    if known == "openai" and (base_url or os.environ.get("OPENAI_BASE_URL")):
        known = "openai-chat"  # what other servers understand

    def make(wanted: str) -> Any:
        return infer_provider_class(wanted)(**_arguments(provider, base_url, dict(values)))

    try:
        return infer_model(f"{known}:{name}", make)
    except ImportError as error:
        raise KitaruFeatureNotAvailableError(
            f'Provider {provider!r} needs its library: pip install "pydantic-ai-slim[{provider}]". ({error})'
        ) from error
    except (UserError, ValueError, TypeError) as error:
        raise KitaruUsageError(
            f"Model {provider}/{name} cannot be reached as it is configured: {error} Keep a key with `kitaru secrets "
            f"set NAME --{provider.upper()}_API_KEY=-` and name it with `kitaru model register ALIAS --model "
            f"{provider}/{name} --secret NAME`."
        ) from error


def _arguments(provider: str, base_url: str | None, values: dict[str, str]) -> dict[str, Any]:
    if provider == "bedrock":
        found = {argument: values[key] for key, argument in _AWS.items() if key in values}
        return {**found, "base_url": base_url} if base_url else found
    given: dict[str, Any] = {}
    key = _named(values, _KEYS) or (next(iter(values.values())) if len(values) == 1 else None)
    if key:
        given["api_key"] = key
    address = base_url or _named(values, _ADDRESSES)
    if provider == "azure":
        return _azure(given, address)
    if address:
        given["base_url"] = address
    return given


def _named(values: dict[str, str], endings: tuple[str, ...]) -> str | None:
    """The value whose key is, or ends in, one of these."""
    for ending in endings:
        for key, value in values.items():
            if key.upper() == ending or key.upper().endswith(f"_{ending}"):
                return value
    return None


def _azure(given: dict[str, Any], address: str | None) -> dict[str, Any]:
    if address:
        given["azure_endpoint"] = address
    if "api_key" in given or os.environ.get("AZURE_OPENAI_API_KEY"):
        return given
    # No key: the workload's own identity.
    from openai import AsyncAzureOpenAI

    identity: Any = import_module("azure.identity")
    token = identity.get_bearer_token_provider(
        identity.DefaultAzureCredential(), "https://cognitiveservices.azure.com/.default"
    )
    endpoint = address or os.environ.get("AZURE_OPENAI_ENDPOINT", "")
    version = os.environ.get("OPENAI_API_VERSION")
    return {
        "openai_client": AsyncAzureOpenAI(
            azure_endpoint=endpoint, api_version=version, azure_ad_token_provider=token
        )
    }
