"""A tracer whose spans Kitaru is shown, and what was recorded of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

import kitaru
from kitaru import KitaruClient
from kitaru.client import CheckpointCall
from kitaru.otel import KitaruSpanProcessor
from tests.support.model_server import ModelServer


@pytest.fixture
def client(kitaru_home: Path) -> KitaruClient:
    """A client on a fresh database, which flows of this process use too."""
    return KitaruClient()


@pytest.fixture
def provider() -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(KitaruSpanProcessor())
    return provider


@pytest.fixture
def recorded(client: KitaruClient) -> Callable[[Callable[[], Any]], CheckpointCall]:
    """Runs a function as the body of a checkpoint; what was recorded of that."""

    def run(body: Callable[[], Any]) -> CheckpointCall:
        step = kitaru.checkpoint(name="step")(body)

        @kitaru.flow
        def flow() -> None:
            step()

        handle = flow.run()
        handle.wait()
        return client.executions.get(handle.exec_id).checkpoints[0]

    return run


@pytest.fixture
def server(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """The test's model server, which Anthropic's client finds by its environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "no-real-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", model_server.url)
    return model_server
