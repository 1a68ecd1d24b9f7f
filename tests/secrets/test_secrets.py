"""Secrets are kept encrypted, by the client and by the functions of the package."""

from __future__ import annotations

import asyncio
import os
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

import kitaru
from kitaru import AsyncKitaruClient, KitaruClient
from kitaru.backend import backend
from kitaru.errors import KitaruBackendError, KitaruStateError, KitaruUsageError

VALUES = {"API_KEY": "sk-correct-horse", "NOTE": 'quoted "text"\nin two lines ü'}


def a_key() -> str:
    return urlsafe_b64encode(os.urandom(32)).decode()


def test_what_was_set_is_got(client: KitaruClient) -> None:
    kitaru.create_secret("openai", VALUES)
    assert kitaru.get_secret("openai") == VALUES
    kitaru.create_secret("mail", PASSWORD="battery staple")
    assert kitaru.get_secret("mail") == {"PASSWORD": "battery staple"}
    assert [secret.name for secret in client.secrets.list()] == ["mail", "openai"]
    kitaru.delete_secret("mail")
    assert [secret.name for secret in client.secrets.list()] == ["openai"]


def test_values_are_shown_only_when_asked_for(client: KitaruClient) -> None:
    made = client.secrets.create("openai", VALUES)
    for shown in (made, client.secrets.get("openai"), client.secrets.list()[0]):
        assert (shown.keys, shown.values) == (["API_KEY", "NOTE"], None)
    opened = client.secrets.get("openai", show_values=True)
    assert opened.values == VALUES
    assert "sk-correct-horse" not in repr(opened)


def test_set_keeps_the_values_that_it_does_not_name(client: KitaruClient) -> None:
    client.secrets.set("openai", {"API_KEY": "old value", "ORG": "somebody"})
    client.secrets.set("openai", {"API_KEY": "new value"})
    assert kitaru.get_secret("openai") == {"API_KEY": "new value", "ORG": "somebody"}


def test_the_database_holds_no_value(client: KitaruClient) -> None:
    client.secrets.set("openai", VALUES)
    record = backend().store.registry.secret("openai")
    assert record is not None
    assert "horse" not in repr(record)


def test_a_token_is_bound_to_its_name(client: KitaruClient) -> None:
    client.secrets.set("mine", {"KEY": "my own value"})
    registry = backend().store.registry
    record = registry.secret("mine")
    assert record is not None
    record.name = "other"
    registry.put_secret(record)
    with pytest.raises(KitaruBackendError, match="belongs to another secret"):
        kitaru.get_secret("other")


def test_a_wrong_key_is_told_and_loses_nothing(client: KitaruClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first = a_key()
    monkeypatch.setenv("KITARU_SECRET_KEY", first)
    key_id = client.secrets.set("openai", VALUES).key_id
    monkeypatch.setenv("KITARU_SECRET_KEY", a_key())
    with pytest.raises(KitaruBackendError, match=f"key {key_id}, which is not here.*KITARU_SECRET_KEY"):
        kitaru.get_secret("openai")
    with pytest.raises(KitaruBackendError, match="Nothing is lost"):
        client.secrets.set("openai", {"API_KEY": "another value"})
    monkeypatch.setenv("KITARU_SECRET_KEY", first)
    assert kitaru.get_secret("openai") == VALUES


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("no spaces", {"KEY": "long enough"}, "cannot be named"),
        ("", {"KEY": "long enough"}, "cannot be named"),
        ("-x", {"KEY": "long enough"}, "cannot be named"),
        ("a/b", {"KEY": "long enough"}, "cannot be named"),
        ("fine", {}, "has no values"),
        ("fine", {"1st": "long enough"}, "cannot be a key"),
        ("fine", {"KEY": "abc"}, "less than 4 characters"),
        ("fine", {"KEY": 12345}, "is no text"),
        ("fine", {"KEY": "lone \ud800 surrogate"}, "not valid Unicode"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    kitaru_home: Path, name: str, values: dict[str, str], said: str
) -> None:
    with pytest.raises(KitaruUsageError, match=said) as refused:
        KitaruClient().secrets.set(name, values)
    assert "long enough" not in str(refused.value)
    assert not (kitaru_home / "secret.key").exists()


def test_unknown_and_taken_names(kitaru_home: Path) -> None:
    for ask in (kitaru.get_secret, kitaru.delete_secret, KitaruClient().secrets.get):
        with pytest.raises(KitaruStateError, match="kitaru secrets"):
            ask("nobody")
    kitaru.create_secret("taken", KEY="first value")
    with pytest.raises(KitaruStateError, match="already"):
        kitaru.create_secret("taken", KEY="second value")
    assert kitaru.get_secret("taken") == {"KEY": "first value"}


def test_the_async_client(kitaru_home: Path) -> None:
    async def use() -> dict[str, str] | None:
        client = AsyncKitaruClient()
        await client.secrets.set("openai", VALUES)
        return (await client.secrets.get("openai", show_values=True)).values

    assert asyncio.run(use()) == VALUES


def test_every_namespace_of_the_async_client_answers(kitaru_home: Path) -> None:
    async def lists() -> list[object]:
        client = AsyncKitaruClient()
        return [await space.list() for space in (client.executions, client.models, client.secrets)]

    assert asyncio.run(lists()) == [[], [], []]
