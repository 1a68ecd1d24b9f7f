"""Which source of a setting counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitaru import settings
from kitaru.errors import KitaruUsageError


@pytest.fixture(autouse=True)
def fresh(kitaru_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of the test's own, and no defaults of the process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "_configured", {})
    return tmp_path


def test_the_nearest_source_counts(fresh: Path, kitaru_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.sourced("retries") == (0, "default")
    other = fresh / "user"
    other.mkdir()
    (other / "config.toml").write_text("retries = 1\n")
    monkeypatch.setenv("KITARU_CONFIG_PATH", str(other))
    assert settings.sourced("retries") == (1, "config.toml")
    project = fresh / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[tool.kitaru]\nretries = 2\n")
    monkeypatch.chdir(project)
    assert settings.sourced("retries") == (2, "pyproject.toml")
    monkeypatch.setenv("KITARU_RETRIES", "3")
    assert settings.sourced("retries") == (3, "KITARU_RETRIES")
    settings.configure(retries=4)
    assert settings.setting("retries") == 4
    assert settings.setting("retries", None, 5) == 5
    assert settings.setting("retries", 6, 5) == 6


def test_mistakes_are_told(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITARU_RETRIES", "many")
    with pytest.raises(KitaruUsageError, match="KITARU_RETRIES='many' is not a number"):
        settings.setting("retries")
    with pytest.raises(KitaruUsageError, match="no setting 'retrys'"):
        settings.configure(retrys=1)
