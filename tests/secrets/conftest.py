"""What the tests of secrets share."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitaru import KitaruClient, redaction


@pytest.fixture(params=["sqlite", "postgres"])
def client(
    request: pytest.FixtureRequest, kitaru_home: Path, monkeypatch: pytest.MonkeyPatch
) -> KitaruClient:
    """A client on each database in turn."""
    if request.param == "postgres":
        monkeypatch.setenv("KITARU_DATABASE_URL", request.getfixturevalue("postgres_url"))
    return KitaruClient()


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's process knows, the next one's does not."""
    for name, value in vars(redaction.Redactor()).items():
        monkeypatch.setattr(redaction.redactor, name, value)
