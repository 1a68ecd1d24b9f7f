"""What is kept for all executions: model aliases, and secrets as they were encrypted."""

from __future__ import annotations

from kitaru.store.protocol import Store
from kitaru.store.registry_records import ModelRecord, SecretRecord
from tests.store.conftest import OpenStore
from tests.store.making import Clock


def test_models_come_back_by_name(store: Store, clock: Clock, open_another: OpenStore) -> None:
    smart = ModelRecord("smart", "anthropic/claude", "keys", ["fast"], "http://localhost", is_default=True)
    store.registry.put_model(smart)
    store.registry.put_model(ModelRecord("fast", "google/gemini"))
    smart.created_at = clock.now
    assert open_another().registry.models() == [
        ModelRecord("fast", "google/gemini", created_at=clock.now),
        smart,
    ]


def test_a_model_is_replaced_and_one_is_the_default(store: Store) -> None:
    store.registry.put_model(ModelRecord("a", "x/1", is_default=True))
    store.registry.put_model(ModelRecord("b", "x/2", is_default=True))
    store.registry.put_model(ModelRecord("a", "x/3"))
    assert [(m.alias, m.model, m.is_default) for m in store.registry.models()] == [
        ("a", "x/3", False),
        ("b", "x/2", True),
    ]


def test_models_are_deleted(store: Store) -> None:
    store.registry.put_model(ModelRecord("a", "x/1"))
    assert store.registry.delete_model("a")
    assert not store.registry.delete_model("a")
    assert store.registry.models() == []


def test_secrets_come_back_and_are_replaced(store: Store, clock: Clock) -> None:
    store.registry.put_secret(SecretRecord("s", "token", "key", ["A", "B"]))
    made = clock.now
    clock.now += 10
    store.registry.put_secret(SecretRecord("s", "other", "key2", ["A"]))
    assert store.registry.secret("s") == SecretRecord("s", "other", "key2", ["A"], made, clock.now)
    assert store.registry.secret("t") is None
    assert [secret.name for secret in store.registry.secrets()] == ["s"]
    assert store.registry.delete_secret("s")
    assert not store.registry.delete_secret("s")
