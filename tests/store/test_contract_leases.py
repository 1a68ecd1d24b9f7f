"""Leases: who may take an execution, heartbeats, and how takeovers are counted."""

from __future__ import annotations

import pytest

from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import Beat, Status
from tests.store.conftest import OpenStore
from tests.store.making import LEASE, Clock, append, call, failed, finish, held, new, suspended, wait


def test_taking_gives_the_next_epoch(store: Store, clock: Clock) -> None:
    store.create(new())
    clock.now += 5
    row = store.take("e1", "runner", LEASE)
    assert row is not None
    assert (row.epoch, row.lease_owner, row.lease_until) == (1, "runner", clock.now + LEASE)
    assert (row.status, row.started_at, row.ready) == (Status.RUNNING, clock.now, False)
    assert row == store.execution("e1")


def test_started_at_is_set_once(store: Store, clock: Clock) -> None:
    started = held(store).started_at
    clock.now += LEASE
    row = store.take("e1", "other", LEASE)
    assert row is not None
    assert row.started_at == started


def test_a_live_lease_is_not_taken(store: Store, open_another: OpenStore, clock: Clock) -> None:
    held(store)
    clock.now += LEASE - 0.001
    assert open_another().take("e1", "other", LEASE) is None
    assert store.take("e1", "runner", LEASE) is None, "not even by its own holder"
    clock.now += 0.001
    assert open_another().take("e1", "other", LEASE) is not None


def test_a_dead_owners_lease_is_taken_at_once(store: Store) -> None:
    held(store, owner="dead")
    assert store.take("e1", "other", LEASE, dead_owner="somebody else") is None
    row = store.take("e1", "other", LEASE, dead_owner="dead")
    assert row is not None
    assert (row.epoch, row.lease_owner) == (2, "other")


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_a_finished_execution_is_not_taken(store: Store, clock: Clock, status: Status) -> None:
    held(store)
    finish(store, status=status)
    clock.now += LEASE
    assert store.take("e1", "other", LEASE) is None


def test_taking_a_waiting_one_makes_it_run(store: Store, clock: Clock) -> None:
    suspended(store, wait(due_at=clock.now + 50))
    store.settle("e1", "ask#1", "answered")
    assert store.execution("e1").ready
    row = store.take("e1", "other", LEASE)
    assert row is not None
    assert (row.status, row.ready, row.wake_at, row.epoch) == (Status.RUNNING, False, None, 2)


def test_a_released_execution_may_be_taken_by_anybody(store: Store) -> None:
    held(store)
    store.release("e1", 1)
    row = store.execution("e1")
    assert (row.status, row.ready, row.lease_owner, row.lease_until) == (Status.RUNNING, True, None, None)
    assert store.wakeable() == ["e1"]
    store.release("e1", 1)
    assert store.execution("e1") == row, "a repeat is harmless"
    with pytest.raises(Fenced):
        append(store, call(1))
    taken = store.take("e1", "other", LEASE)
    assert taken is not None
    assert taken.takeovers == 0, "it was given back: nobody died"
    with pytest.raises(Fenced):
        store.release("e1", 1)


def crash(store: Store, clock: Clock) -> int:
    """The lease ends and the next runner takes over; the takeovers counted so far."""
    clock.now += LEASE
    row = store.take("e1", "next", LEASE)
    assert row is not None
    return row.takeovers


def test_takeovers_without_a_new_record_are_counted(store: Store, clock: Clock) -> None:
    held(store)
    assert [crash(store, clock) for _ in range(3)] == [1, 2, 3]
    append(store, call(1), epoch=4)
    assert crash(store, clock) == 1, "the journal has grown"
    assert [crash(store, clock) for _ in range(2)] == [2, 3]


def test_the_first_takeover_counts_one_however_long_the_journal_is(store: Store, clock: Clock) -> None:
    held(store)
    append(store, call(1), call(2))
    assert [crash(store, clock) for _ in range(2)] == [1, 2]


def test_an_execution_that_nobody_held_has_no_takeover(store: Store, clock: Clock) -> None:
    store.create(new())
    clock.now += 1000
    row = store.take("e1", "runner", LEASE)
    assert row is not None
    assert row.takeovers == 0


def test_a_takeover_from_waiting_is_not_counted(store: Store, clock: Clock) -> None:
    held(store)
    assert crash(store, clock) == 1
    append(store, epoch=2, waits=[wait()])
    assert store.suspend("e1", 2, 0)
    row = store.take("e1", "next", LEASE)
    assert row is not None
    assert row.takeovers == 1


def test_a_voided_call_is_progress(store: Store, clock: Clock) -> None:
    from kitaru.store.records import AttemptRecord

    held(store)
    append(store, failed(1, "step#1"))
    assert crash(store, clock) == 1
    store.void("e1", 2, ["step#1"], AttemptRecord("", 1, {}))
    assert crash(store, clock) == 1


def test_a_heartbeat_extends_what_is_still_held(store: Store, clock: Clock) -> None:
    for exec_id in ("e1", "e2", "e3", "e4", "e5"):
        held(store, exec_id)
    finish(store, "e2")
    clock.now += LEASE
    store.take("e3", "other", LEASE)
    store.take("e4", "runner", LEASE)
    store.request_cancel("e5", dead_owner=None)
    clock.now += 1
    answer = store.heartbeat("runner", {"e1": 1, "e2": 1, "e3": 1, "e4": 1, "nowhere": 1}, LEASE)
    lost = Beat(held=False, cancel_requested=False)
    assert answer == {
        "e1": Beat(held=True, cancel_requested=False),
        "e2": lost,
        "e3": lost,
        "e4": lost,
        "nowhere": lost,
    }
    assert store.execution("e1").lease_until == clock.now + LEASE
    assert store.execution("e2").lease_until is None
    assert store.execution("e3").lease_until == clock.now - 1 + LEASE


def test_signals_extend_nothing(store: Store, open_another: OpenStore, clock: Clock) -> None:
    before = held(store)
    clock.now += 5
    assert open_another().request_cancel("e1") is Status.RUNNING
    expected = {"e1": Beat(held=True, cancel_requested=True)}
    assert store.signals("runner", {"e1": 1}) == expected
    assert store.execution("e1").lease_until == before.lease_until
    assert store.heartbeat("runner", {"e1": 1}, LEASE) == expected
    assert store.signals("other", {"e1": 1})["e1"].held is False


def test_a_heartbeat_for_nothing_is_nothing(store: Store) -> None:
    assert store.heartbeat("runner", {}, LEASE) == {}
    assert store.signals("runner", {}) == {}


def test_a_heartbeat_covers_a_thousand_executions(store: Store, clock: Clock) -> None:
    names = [f"e{number}" for number in range(1001)]
    for name in names[::100]:
        held(store, name)
    clock.now += 1
    answer = store.heartbeat("runner", dict.fromkeys(names, 1), LEASE)
    assert [name for name in names if answer[name].held] == names[::100]
    assert store.execution("e1000").lease_until == clock.now + LEASE


def test_the_clock_is_the_one_that_was_set(store: Store, clock: Clock) -> None:
    assert store.now() == clock.now
