"""The end of an execution, and what its parents learn of it."""

from __future__ import annotations

from typing import Any

import pytest

from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import Blob, StartRecord, Status, WaitKind
from tests.store.making import LEASE, Clock, append, everything, finish, held, payload, suspended, wait


def child_wait(child: str = "child", call_id: str = "child#1", **fields: Any) -> Any:
    return wait(call_id, kind=WaitKind.CHILD, child_exec_id=child, **fields)


def test_the_end_is_the_row_as_it_was_told(store: Store, clock: Clock) -> None:
    held(store)
    clock.now += 3
    result = payload("result", data=b"\x00bytes", preview="shown")
    assert finish(store, result=result, blobs=[Blob("d", b"x")], active_seconds=2.0) == []
    row = store.execution("e1")
    assert (row.status, row.result, row.failure) == (Status.COMPLETED, result, None)
    assert (row.ended_at, row.active_seconds, row.epoch) == (clock.now, 2.0, 1)
    assert (row.lease_owner, row.lease_until, row.ready, row.wake_at) == (None, None, False, None)
    assert store.blobs(["d"]) == {"d": b"x"}


def test_a_failure_is_kept(store: Store) -> None:
    held(store)
    failure = {"origin": "user_code", "message": "no", "calls": ["step#1"]}
    finish(store, status=Status.FAILED, failure=failure)
    row = store.execution("e1")
    assert (row.status, row.failure, row.result) == (Status.FAILED, failure, None)
    assert row.status.is_finished
    assert not row.status.is_successful


def test_starts_are_dropped(store: Store) -> None:
    held(store)
    store.tell(starts=[StartRecord("e1", "step#1", "step", "checkpoint", 1, 1.0)])
    finish(store)
    assert store.reads.starts("e1") == []
    store.tell(starts=[StartRecord("e1", "step#1", "step", "checkpoint", 1, 1.0)])
    assert store.reads.starts("e1") == [], "told too late"


def test_only_the_holder_ends_it(store: Store, clock: Clock) -> None:
    held(store)
    clock.now += LEASE
    store.take("e1", "other", LEASE)
    before = everything(store)
    with pytest.raises(Fenced):
        finish(store, result=payload("zombie"), blobs=[Blob("d", b"x")])
    assert everything(store) == before
    assert store.blobs(["d"]) == {}


def test_ending_again_is_harmless_and_otherwise_refused(store: Store) -> None:
    suspended(store, child_wait(), exec_id="parent")
    held(store, "child")
    assert finish(store, "child", result=payload("first")) == ["parent"]
    before = everything(store, "child")
    assert finish(store, "child", result=payload("second")) == ["parent"]
    assert everything(store, "child") == before
    with pytest.raises(Fenced):
        finish(store, "child", status=Status.FAILED)


def test_a_waiting_parent_becomes_ready(store: Store, clock: Clock) -> None:
    suspended(store, child_wait(), wait(), exec_id="parent")
    held(store, "child")
    clock.now += 5
    assert finish(store, "child") == ["parent"]
    settled, pending = store.waits("parent")
    assert (settled.call_id, settled.status, settled.settled_at) == ("child#1", "answered", clock.now)
    assert (pending.call_id, pending.status) == ("ask#1", "pending")
    assert store.wakeable() == ["parent"]


def test_a_running_parent_finds_its_wait_answered(store: Store) -> None:
    held(store, "parent")
    append(store, exec_id="parent", waits=[child_wait()])
    held(store, "child")
    assert finish(store, "child") == []
    assert not store.execution("parent").ready
    assert not store.suspend("parent", 1, 0)


def test_all_parents_that_wait_are_told(store: Store) -> None:
    for parent in ("p2", "p1", "p3"):
        suspended(store, child_wait(), exec_id=parent)
    suspended(store, child_wait("other child"), exec_id="p4")
    store.settle("p3", "child#1", "aborted")
    held(store, "child")
    assert sorted(finish(store, "child")) == ["p1", "p2"]
    assert [w.status for w in store.waits("p3")] == ["aborted"]
    assert [w.status for w in store.waits("p4")] == ["pending"]


def test_a_parent_that_has_ended_is_left_alone(store: Store) -> None:
    held(store, "parent")
    append(store, exec_id="parent", waits=[child_wait()])
    finish(store, "parent", status=Status.FAILED)
    before = everything(store, "parent")
    held(store, "child")
    assert finish(store, "child") == []
    assert everything(store, "parent") == before
