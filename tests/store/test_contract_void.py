"""Taking failed calls back: by the runner itself, and to run a finished execution again."""

from __future__ import annotations

import pytest

from kitaru.errors import KitaruStateError
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import ArtifactRecord, AttemptRecord, Status
from tests.store.making import (
    LEASE,
    Clock,
    append,
    call,
    everything,
    failed,
    finish,
    held,
    ids,
    new,
    payload,
    suspended,
    wait,
)

FLOW = AttemptRecord("", 1, {"type": "ValueError"}, None, 5.0)


def a_failing_journal(store: Store) -> None:
    held(store)
    saved = ArtifactRecord("bad#1", 0, "report", "output", payload())
    append(
        store,
        call(1, "good#1"),
        attempts=[AttemptRecord("bad#1", 1, {"n": 1}), AttemptRecord("bad#1", 2, {"n": 2})],
    )
    append(store, failed(2, "bad#1", error={"n": 3}, started_at=1.0, ended_at=2.0), artifacts=[saved])
    append(store, failed(3, "other#1"))


def test_voided_calls_become_attempts(store: Store) -> None:
    a_failing_journal(store)
    store.void("e1", 1, ["bad#1", "good#1", "unknown#1"], FLOW)
    assert ids(store.calls("e1")) == [(1, "good#1"), (3, "other#1")]
    assert store.attempts("e1", "bad#1") == [
        AttemptRecord("bad#1", 1, {"n": 1}),
        AttemptRecord("bad#1", 2, {"n": 2}),
        AttemptRecord("bad#1", 3, {"n": 3}, 1.0, 2.0),
    ]
    assert store.attempts("e1", "") == [FLOW]
    assert store.artifacts("e1") == []
    append(store, call(4, "bad#1"))
    assert ids(store.calls("e1")) == [(1, "good#1"), (3, "other#1"), (4, "bad#1")]


def test_voiding_again_is_harmless(store: Store) -> None:
    a_failing_journal(store)
    store.void("e1", 1, ["bad#1"], FLOW)
    before = everything(store)
    store.void("e1", 1, ["bad#1"], FLOW)
    assert everything(store) == before


def test_only_the_holder_voids(store: Store, clock: Clock) -> None:
    a_failing_journal(store)
    clock.now += LEASE
    store.take("e1", "other", LEASE)
    before = everything(store)
    with pytest.raises(Fenced):
        store.void("e1", 1, ["bad#1"], FLOW)
    assert everything(store) == before


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_an_ended_execution_runs_again(store: Store, status: Status) -> None:
    a_failing_journal(store)
    append(store, call(4, "asked#1"), waits=[wait("asked#1"), wait("open#1"), wait("answered#1")])
    store.settle("e1", "answered#1", "answered")
    store.request_cancel("e1")
    finish(store, status=status, failure={"message": "no"}, result=payload("partial"))
    row = store.reopen("e1", ["bad#1"])
    assert row == store.execution("e1")
    assert (row.status, row.epoch, row.ready, row.lease_owner) == (Status.RUNNING, 2, True, None)
    assert (row.failure, row.result, row.ended_at, row.cancel_requested, row.takeovers) == (
        None,
        None,
        None,
        False,
        0,
    )
    assert ids(store.calls("e1")) == [(1, "good#1"), (3, "other#1"), (4, "asked#1")]
    assert [attempt.attempt for attempt in store.attempts("e1", "bad#1")] == [1, 2, 3]
    assert [(w.call_id, w.status) for w in store.waits("e1")] == [
        ("answered#1", "answered"),
        ("asked#1", "closed"),
    ]
    assert store.wakeable() == ["e1"]


def test_takeovers_start_anew(store: Store, clock: Clock) -> None:
    held(store)
    for _ in range(3):
        clock.now += LEASE
        store.take("e1", "runner", LEASE)
    finish(store, epoch=4, status=Status.FAILED)
    assert store.reopen("e1", []).takeovers == 0
    taken = store.take("e1", "runner", LEASE)
    assert taken is not None
    assert taken.takeovers == 0
    clock.now += LEASE
    taken = store.take("e1", "runner", LEASE)
    assert taken is not None
    assert taken.takeovers == 1


def test_a_voided_wait_is_asked_anew(store: Store) -> None:
    held(store)
    append(store, waits=[wait()])
    store.settle("e1", "ask#1", "expired")
    append(store, failed(1, "ask#1", kind="wait"))
    finish(store, status=Status.FAILED)
    store.reopen("e1", ["ask#1"])
    assert store.waits("e1") == []
    store.take("e1", "runner", LEASE)
    append(store, epoch=3, waits=[wait()])
    assert store.suspend("e1", 3, 0)


def test_what_has_not_failed_is_not_run_again(store: Store, clock: Clock) -> None:
    held(store, "done")
    finish(store, "done")
    suspended(store, wait(), exec_id="waiting")
    held(store, "running")
    store.create(new("new"))
    for exec_id in ("done", "waiting", "running", "new"):
        before = everything(store, exec_id)
        with pytest.raises(KitaruStateError, match=exec_id):
            store.reopen(exec_id, [])
        assert everything(store, exec_id) == before
    with pytest.raises(KitaruStateError, match="no execution"):
        store.reopen("nowhere", [])


def test_a_zombie_of_the_first_run_is_fenced(store: Store) -> None:
    held(store)
    finish(store, status=Status.FAILED)
    store.reopen("e1", [])
    with pytest.raises(Fenced):
        append(store, call(1), epoch=1)
    with pytest.raises(Fenced):
        append(store, call(1), epoch=2)
    taken = store.take("e1", "runner", LEASE)
    assert taken is not None
    assert taken.epoch == 3
