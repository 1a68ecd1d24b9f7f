"""The contract's fixtures: every test that takes ``store`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitaru.store import open_store
from kitaru.store.protocol import Store
from tests.store.making import Clock

OpenStore = Callable[[], Store]


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'kitaru.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def clock() -> Clock:
    """The database's clock, which stands still."""
    return Clock()


@pytest.fixture
def open_another(database_url: str, clock: Clock) -> Iterator[OpenStore]:
    """Opens further stores on the same database, as other processes would."""
    stores: list[Store] = []

    def open_one() -> Store:
        stores.append(open_store(database_url, clock=clock))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(open_another: OpenStore) -> Store:
    """A store on an empty database."""
    return open_another()
