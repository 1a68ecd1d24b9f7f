"""What the tests of the user API share."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitaru import KitaruClient


@pytest.fixture
def client(kitaru_home: Path) -> KitaruClient:
    """A client on a fresh database, which flows of this process use too."""
    return KitaruClient()
