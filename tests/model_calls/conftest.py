"""Model providers on loopback, one for each API, under the aliases ``claude``, ``gemini`` and ``gpt``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kitaru import KitaruClient
from tests.support.model_server import ModelServer

MODELS = {
    "claude": "anthropic/claude-haiku-4-5",
    "gemini": "google/gemini-2.5-flash",
    "gpt": "openai/gpt-4o-mini",
}
KEYS = ("ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY")


@pytest.fixture
def client(kitaru_home: Path) -> KitaruClient:
    """A client on a fresh database, which flows of this process use too."""
    return KitaruClient()


@pytest.fixture
def providers(
    client: KitaruClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, ModelServer]]:
    """The servers, by alias."""
    for key in KEYS:
        monkeypatch.setenv(key, "no-real-key")
    with ExitStack() as stack:
        servers: dict[str, ModelServer] = {}
        for alias, model in MODELS.items():
            servers[alias] = stack.enter_context(ModelServer(tmp_path / f"{alias}.jsonl"))
            client.models.register(alias, model, base_url=address(servers[alias], alias))
        yield servers


def address(server: ModelServer, alias: str) -> str:
    """Where the API is served; OpenAI's clients want its version in it."""
    return f"{server.url}/v1" if alias == "gpt" else server.url
