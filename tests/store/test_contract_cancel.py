"""Cancelling: at once where nobody runs, by the runner where somebody does, and the children too."""

from __future__ import annotations

from typing import Any

import pytest

from kitaru.errors import KitaruStateError
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import Status, WaitKind
from tests.store.making import LEASE, Clock, append, call, everything, finish, held, new, suspended, wait


def child(store: Store, exec_id: str, parent: str, **fields: Any) -> None:
    held(store, exec_id, parent_exec_id=parent, **fields)


def test_a_waiting_execution_ends_at_once(store: Store, clock: Clock) -> None:
    suspended(store, wait(due_at=clock.now + 9))
    clock.now += 1
    assert store.request_cancel("e1") is Status.CANCELLED
    row = store.execution("e1")
    assert (row.status, row.epoch, row.ended_at) == (Status.CANCELLED, 2, clock.now)
    assert (row.ready, row.wake_at, row.lease_owner) == (False, None, None)
    assert [w.status for w in store.waits("e1")] == ["closed"]
    assert store.next_wake() is None


def test_an_execution_that_nobody_took_ends_at_once(store: Store) -> None:
    store.create(new())
    assert store.request_cancel("e1") is Status.CANCELLED
    assert store.wakeable() == []
    assert store.take("e1", "runner", LEASE) is None


def test_one_whose_lease_has_ended_ends_at_once(store: Store, clock: Clock) -> None:
    held(store)
    clock.now += LEASE
    assert store.request_cancel("e1") is Status.CANCELLED
    with pytest.raises(Fenced):
        append(store, call(1))


def test_one_whose_runner_is_dead_ends_at_once(store: Store) -> None:
    held(store, owner="dead")
    assert store.request_cancel("e1", dead_owner="other") is Status.RUNNING
    assert store.request_cancel("e1", dead_owner="dead") is Status.CANCELLED


def test_a_living_runner_is_told(store: Store) -> None:
    held(store)
    assert store.request_cancel("e1") is Status.RUNNING
    row = store.execution("e1")
    assert (row.cancel_requested, row.epoch, row.ended_at) == (True, 1, None)
    append(store, call(1))
    finish(store, status=Status.CANCELLED)
    assert store.request_cancel("e1") is Status.CANCELLED


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_a_finished_execution_is_left_alone(store: Store, status: Status) -> None:
    held(store)
    child(store, "c1", "e1")
    finish(store, status=status)
    before = everything(store)
    assert store.request_cancel("e1") is status
    assert everything(store) == before
    assert not store.execution("c1").cancel_requested


def test_children_get_the_same(store: Store, clock: Clock) -> None:
    suspended(store, wait("child#1", kind=WaitKind.CHILD, child_exec_id="alive"))
    child(store, "alive", "e1")
    child(store, "grandchild", "alive", owner="dead")
    child(store, "done", "e1")
    finish(store, "done")
    store.create(new("untaken", parent_exec_id="e1"))
    suspended(store, wait(), exec_id="waiting", parent_exec_id="untaken")
    held(store, "stranger")
    assert store.request_cancel("e1", dead_owner="dead") is Status.CANCELLED
    expected = {
        "alive": Status.RUNNING,
        "grandchild": Status.CANCELLED,
        "done": Status.COMPLETED,
        "untaken": Status.CANCELLED,
        "waiting": Status.CANCELLED,
        "stranger": Status.RUNNING,
    }
    assert {name: store.status(name) for name in expected} == expected
    assert store.execution("alive").cancel_requested
    assert not store.execution("stranger").cancel_requested
    assert [w.status for w in store.waits("e1")] == ["closed"]


def test_the_parent_of_a_cancelled_execution_goes_on(store: Store) -> None:
    suspended(store, wait("child#1", kind=WaitKind.CHILD, child_exec_id="c1"), exec_id="parent")
    suspended(store, wait(), exec_id="c1", parent_exec_id="parent")
    assert store.request_cancel("c1") is Status.CANCELLED
    assert store.status("parent") is Status.WAITING
    assert store.wakeable() == ["parent"]


def test_an_unknown_execution_is_told(store: Store) -> None:
    with pytest.raises(KitaruStateError, match="kitaru executions list"):
        store.request_cancel("nowhere")
