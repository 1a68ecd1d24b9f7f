"""What the real Claude Agent SDK and its bundled CLI need to run here, and to touch nothing of the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer

# The CLI and its SDK would find a login, a proxy or settings of whoever runs the tests by these.
_STRANGERS = ("CLAUDE", "ANTHROPIC", "AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def claude_environment(base_url: str, folder: Path) -> dict[str, str]:
    """The variables to add to an environment that has none of ``CLAUDE*`` and ``ANTHROPIC*``."""
    return {
        "HOME": str(folder),
        "CLAUDE_CONFIG_DIR": str(folder / ".claude"),
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_API_KEY": "sk-local",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def claude_env(
    model_server: ModelServer, kitaru_home: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The Claude Agent SDK talks to ``model_server``, here and in processes that are given this dict.

    Its home is the one of ``kitaru_home``, so that what the CLI leaves running ends with the test.
    """
    for name in list(os.environ):
        if name.upper().startswith(_STRANGERS):
            monkeypatch.delenv(name)
    environment = claude_environment(model_server.url, kitaru_home.parent)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment
