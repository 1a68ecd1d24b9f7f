"""An agent of Pydantic AI against a model server on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent

from kitaru import KitaruClient
from kitaru.model_calls.portal import run_blocking
from tests.support.model_server import ModelServer


@pytest.fixture
def client(kitaru_home: Path) -> KitaruClient:
    """A client on a fresh database, which flows of this process use too."""
    return KitaruClient()


@pytest.fixture
def server(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """The test's model server, which Anthropic's client finds by its environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "no-real-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", model_server.url)
    return model_server


MakeAgent = Callable[..., Agent[Any, Any]]


@pytest.fixture
def make_agent(server: ModelServer) -> Iterator[MakeAgent]:
    """Makes agents of the server's model, whose connections are closed on the loop that they were opened on."""
    made: list[Agent[Any, Any]] = []

    def make(**options: Any) -> Agent[Any, Any]:
        made.append(Agent("anthropic:claude-haiku-4-5", **options))
        return made[-1]

    async def close() -> None:
        for agent in made:
            async with agent:
                pass

    yield make
    run_blocking(close())
