"""Suspending, settling waits, asking again, and what is due."""

from __future__ import annotations

from typing import Any

import pytest

from kitaru.errors import KitaruStateError
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import Status, WaitKind, WaitStatus
from tests.store.conftest import OpenStore
from tests.store.making import (
    LEASE,
    Clock,
    append,
    call,
    everything,
    finish,
    held,
    new,
    payload,
    suspended,
    wait,
)


def test_suspending_gives_back_the_lease(store: Store, clock: Clock) -> None:
    held(store)
    append(
        store, waits=[wait(due_at=clock.now + 60), wait("nap#1", kind=WaitKind.TIMER, due_at=clock.now + 20)]
    )
    assert store.suspend("e1", 1, 1.5)
    row = store.execution("e1")
    assert (row.status, row.lease_owner, row.lease_until, row.ready) == (Status.WAITING, None, None, False)
    assert (row.wake_at, row.active_seconds, row.epoch) == (clock.now + 20, 1.5, 1)
    assert store.status("e1") is Status.WAITING


def test_active_seconds_add_up(store: Store) -> None:
    suspended(store, wait())
    store.take("e1", "runner", LEASE)
    assert store.suspend("e1", 2, 2.0)
    store.take("e1", "runner", LEASE)
    assert store.suspend("e1", 3, 0.5)
    store.take("e1", "runner", LEASE)
    finish(store, epoch=4, active_seconds=0.25)
    assert store.execution("e1").active_seconds == 2.75


def test_a_wait_without_a_time_wakes_nobody(store: Store) -> None:
    suspended(store, wait())
    assert store.execution("e1").wake_at is None
    assert store.next_wake() is None


def test_suspending_again_is_harmless(store: Store) -> None:
    suspended(store, wait())
    before = everything(store)
    assert store.suspend("e1", 1, 5.0)
    assert everything(store) == before


@pytest.mark.parametrize("status", [WaitStatus.ANSWERED, WaitStatus.ABORTED, WaitStatus.EXPIRED])
def test_a_settled_wait_that_the_journal_lacks_keeps_it_running(store: Store, status: str) -> None:
    held(store)
    append(store, waits=[wait(), wait("ask#2")])
    assert store.settle("e1", "ask#1", status)
    before = everything(store)
    assert not store.suspend("e1", 1, 1.0)
    assert everything(store) == before
    append(store, call(1, "ask#1", kind="wait"))
    assert store.suspend("e1", 1, 1.0), "the journal has a call for it now"


def test_a_wait_that_is_due_keeps_it_running(store: Store, clock: Clock) -> None:
    held(store)
    append(store, waits=[wait(due_at=clock.now + 10)])
    clock.now += 10
    assert not store.suspend("e1", 1, 0)
    clock.now -= 0.001
    assert store.suspend("e1", 1, 0)


def test_a_cancellation_keeps_it_running(store: Store) -> None:
    held(store)
    append(store, waits=[wait()])
    store.request_cancel("e1")
    assert not store.suspend("e1", 1, 0)
    assert store.status("e1") is Status.RUNNING


def test_only_the_holder_suspends(store: Store, clock: Clock) -> None:
    held(store)
    clock.now += LEASE
    store.take("e1", "other", LEASE)
    with pytest.raises(Fenced):
        store.suspend("e1", 1, 0)
    finish(store, epoch=2)
    with pytest.raises(Fenced):
        store.suspend("e1", 2, 0)


def test_an_answer_makes_a_waiting_execution_ready(
    store: Store, open_another: OpenStore, clock: Clock
) -> None:
    suspended(store, wait())
    clock.now += 5
    answer = payload("yes", data=None, location="blob")
    other = open_another()
    assert other.settle(
        "e1", "ask#1", "answered", answer=answer, by="somebody", blobs=[(answer.digest, b"yes")]
    )
    (settled,) = store.waits("e1")
    assert (settled.status, settled.settled_at, settled.settled_by) == ("answered", clock.now, "somebody")
    assert settled.answer == answer
    assert store.blobs([answer.digest]) == {answer.digest: b"yes"}
    row = store.execution("e1")
    assert (row.status, row.ready) == (Status.WAITING, True)
    assert store.wakeable() == ["e1"]


def test_an_answer_to_a_running_execution_launches_nobody(store: Store) -> None:
    held(store)
    append(store, waits=[wait()])
    assert store.settle("e1", "ask#1", "answered")
    assert not store.execution("e1").ready
    assert store.wakeable() == []


@pytest.mark.parametrize("second", ["answered", "aborted", "expired"])
def test_a_wait_is_settled_once(store: Store, open_another: OpenStore, second: str) -> None:
    suspended(store, wait())
    assert store.settle("e1", "ask#1", "answered", answer=payload("first"), by="first")
    before = everything(store)
    blobs = [("d", b"x")]
    assert not open_another().settle(
        "e1", "ask#1", second, answer=payload("second"), by="second", blobs=blobs
    )
    assert everything(store) == before
    assert store.blobs(["d"]) == {}


def test_waits_of_a_finished_execution_are_closed(store: Store, clock: Clock) -> None:
    held(store)
    append(store, waits=[wait(), wait("ask#2")])
    store.settle("e1", "ask#1", "answered")
    clock.now += 1
    finish(store)
    assert [(w.call_id, w.status, w.settled_at) for w in store.waits("e1")] == [
        ("ask#1", "answered", clock.now - 1),
        ("ask#2", "closed", clock.now),
    ]
    assert not store.settle("e1", "ask#2", "answered")


def test_an_unknown_wait_is_told(store: Store) -> None:
    held(store)
    with pytest.raises(KitaruStateError, match=r"no wait 'ask#1'.*kitaru executions get e1"):
        store.settle("e1", "ask#1", "answered")
    with pytest.raises(KitaruStateError, match="no execution"):
        store.settle("nowhere", "ask#1", "answered")


def test_a_rejected_answer_is_asked_for_again(store: Store) -> None:
    held(store)
    append(store, waits=[wait(metadata={"a": 1})])
    store.settle("e1", "ask#1", "answered", answer=payload("wrong"), by="somebody")
    store.reject("e1", 1, "ask#1", "too long")
    (asked,) = store.waits("e1")
    assert asked == wait(metadata={"a": 1, "rejected": "too long"}, created_at=asked.created_at)
    assert store.suspend("e1", 1, 0)
    assert store.settle("e1", "ask#1", "answered", answer=payload("right"))


def test_only_the_holder_rejects_and_only_an_answer(store: Store) -> None:
    held(store)
    append(store, waits=[wait()])
    before = everything(store)
    store.reject("e1", 1, "ask#1", "nobody answered")
    store.settle("e1", "ask#1", "aborted")
    store.reject("e1", 1, "ask#1", "it was aborted")
    assert [w.status for w in store.waits("e1")] == ["aborted"]
    with pytest.raises(Fenced):
        store.reject("e1", 2, "ask#1", "not the holder")
    assert before[0] == store.execution("e1")


def test_waits_are_listed_in_the_order_in_which_they_were_settled(store: Store, clock: Clock) -> None:
    held(store)
    append(store, waits=[wait("b"), wait("a")])
    clock.now += 1
    append(store, waits=[wait("d"), wait("c"), wait("z", created_at=clock.now - 10)])
    clock.now += 1
    store.settle("e1", "d", "answered")
    clock.now += 1
    store.settle("e1", "b", "answered")
    assert [w.call_id for w in store.waits("e1")] == ["d", "b", "z", "a", "c"]


def test_what_is_due_or_ready_is_wakeable(store: Store, clock: Clock) -> None:
    start = clock.now
    nap: dict[str, Any] = {"kind": WaitKind.TIMER}
    suspended(store, wait("nap#1", due_at=start + 10, **nap), exec_id="due10")
    suspended(store, wait("nap#1", due_at=start + 20, **nap), exec_id="due20")
    suspended(store, wait(), exec_id="asks")
    held(store, "runs")
    store.create(new("new"))
    assert store.wakeable() == ["new"]
    assert store.next_wake() == start + 10
    clock.now = start + 10
    assert sorted(store.wakeable()) == ["due10", "new"]
    store.settle("asks", "ask#1", "answered")
    assert sorted(store.wakeable()) == ["asks", "due10", "new"]
    assert len(store.wakeable(limit=2)) == 2
    store.take("due10", "runner", LEASE)
    assert store.next_wake() == start + 20
    store.take("new", "runner", LEASE)
    assert store.wakeable() == ["asks"]


def test_a_taken_or_finished_execution_is_not_wakeable(store: Store, clock: Clock) -> None:
    suspended(store, wait(due_at=clock.now + 1))
    clock.now += 1
    assert store.wakeable() == ["e1"]
    assert store.take("e1", "runner", LEASE) is not None
    assert (store.wakeable(), store.next_wake()) == ([], None)
    finish(store, epoch=2)
    clock.now += 1000
    assert (store.wakeable(), store.next_wake()) == ([], None)
