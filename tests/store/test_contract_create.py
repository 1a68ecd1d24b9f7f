"""Creating executions."""

from __future__ import annotations

from typing import Any

import pytest

from kitaru.errors import KitaruStateError
from kitaru.store.protocol import Store
from kitaru.store.records import Blob, Status
from tests.store.conftest import OpenStore
from tests.store.making import Clock, held, new


def test_a_new_execution_runs_under_no_lease(store: Store, clock: Clock) -> None:
    created = store.create(new())
    assert created.created
    row = created.execution
    assert (row.status, row.epoch, row.lease_owner, row.lease_until) == (Status.RUNNING, 0, None, None)
    assert (row.created_at, row.started_at, row.ended_at) == (clock.now, None, None)
    assert row.ready, "anybody may launch it"
    assert store.execution("e1") == row


def test_a_new_execution_may_be_held_from_the_start(store: Store, clock: Clock) -> None:
    row = store.create(new(lease_owner="runner", lease_seconds=12)).execution
    assert (row.epoch, row.lease_owner, row.lease_until) == (1, "runner", clock.now + 12)
    assert row.started_at == clock.now
    assert not row.ready
    assert store.take("e1", "other", 30) is None


def test_every_field_comes_back(store: Store) -> None:
    fields: dict[str, Any] = {
        "spec": {"retries": 2, "text": "ü \0 \ud800"},
        "inputs": {"x": {"d": "…"}},
        "stack_name": "local",
        "idempotency_key": "key",
        "original_exec_id": "e0",
        "parent_exec_id": "p",
        "parent_call_id": "child#1",
        "launch_id": "process",
        "launch_ordinal": 3,
    }
    store.create(new(**fields))
    row = store.execution("e1")
    assert {name: getattr(row, name) for name in fields} == fields


def test_its_blobs_are_kept(store: Store) -> None:
    store.create(new(blobs=[Blob("d2", b"two"), Blob("d1", b"one")]))
    assert store.blobs(["d1", "d2", "d3"]) == {"d1": b"one", "d2": b"two"}


def test_the_same_id_again_is_the_same_execution(store: Store) -> None:
    first = store.create(new(flow_name="first")).execution
    again = store.create(new(flow_name="second", blobs=[Blob("d", b"x")]))
    assert not again.created
    assert again.execution == first
    assert store.blobs(["d"]) == {}, "nothing was written"


def test_an_idempotency_key_is_one_execution_of_a_flow(store: Store, open_another: OpenStore) -> None:
    first = store.create(new("e1", idempotency_key="key")).execution
    again = open_another().create(new("e2", idempotency_key="key"))
    assert (again.created, again.execution) == (False, first)
    assert store.create(new("e3", idempotency_key="key", flow_name="other")).created
    assert store.create(new("e4", idempotency_key="other")).created
    with pytest.raises(KitaruStateError, match="no execution 'e2'"):
        store.execution("e2")


def test_the_first_launch_under_an_ordinal_is_found(store: Store) -> None:
    held(store, "e1", launch_id="process", launch_ordinal=1)
    held(store, "e2", launch_id="process", launch_ordinal=2)
    found = store.launched("process", 2)
    assert found is not None
    assert found.exec_id == "e2"
    assert store.launched("process", 3) is None


def test_an_unknown_execution_is_told_with_what_to_type(store: Store) -> None:
    for ask in (store.execution, store.status):
        with pytest.raises(KitaruStateError, match="kitaru executions list"):
            ask("nowhere")
    with pytest.raises(KitaruStateError):
        store.take("nowhere", "runner", 30)
    with pytest.raises(KitaruStateError):
        store.merge_metadata("nowhere", {"a": 1})


def test_metadata_is_merged_key_by_key(store: Store) -> None:
    held(store)
    store.merge_metadata("e1", {"a": {"x": 1}, "b": 2})
    store.merge_metadata("e1", {"a": {"y": 1}, "c": None})
    assert store.execution("e1").metadata == {"a": {"y": 1}, "b": 2, "c": None}
