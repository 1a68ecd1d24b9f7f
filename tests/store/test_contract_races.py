"""Two sides at once, each with a store of its own, many times over: no interleaving may lose anything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import AttemptRecord, Status, WaitKind
from tests.store.conftest import OpenStore
from tests.store.making import LEASE, Clock, append, call, failed, finish, held, ids, new, suspended, wait

ROUNDS = 40


def at_once(*sides: Callable[[], Any]) -> list[Any]:
    """Run the sides at the same moment; what each returned, or raised."""
    start = threading.Barrier(len(sides))

    def one(side: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return side()
        except Fenced as error:
            return error

    with ThreadPoolExecutor(len(sides)) as threads:
        return list(threads.map(one, sides))


def test_one_of_two_takers_gets_it(store: Store, open_another: OpenStore) -> None:
    other = open_another()
    for number in range(ROUNDS):
        store.create(new(f"e{number}"))
        taken = at_once(
            lambda n=number: store.take(f"e{n}", "one", LEASE),
            lambda n=number: other.take(f"e{n}", "two", LEASE),
        )
        assert sorted(row is None for row in taken) == [False, True]


def test_one_of_many_creators_creates(store: Store, open_another: OpenStore) -> None:
    stores = [store, open_another(), open_another()]
    for number in range(ROUNDS):
        made = at_once(
            *(
                lambda n=number, s=s, i=i: s.create(new(f"e{n}-{i}", idempotency_key=f"key{n}"))
                for i, s in enumerate(stores)
            )
        )
        assert [one.created for one in made].count(True) == 1
        assert len({one.execution.exec_id for one in made}) == 1


def test_one_of_two_answers_counts(store: Store, open_another: OpenStore) -> None:
    other = open_another()
    for number in range(ROUNDS):
        exec_id = f"e{number}"
        suspended(store, wait(), exec_id=exec_id)
        won = at_once(
            lambda e=exec_id: store.settle(e, "ask#1", "answered", by="one"),
            lambda e=exec_id: other.settle(e, "ask#1", "aborted", by="two"),
        )
        assert sorted(won) == [False, True]
        (settled,) = store.waits(exec_id)
        assert settled.settled_by == ("one" if won[0] else "two")


def test_an_answer_never_finds_a_sleeper_that_nobody_wakes(store: Store, open_another: OpenStore) -> None:
    other = open_another()
    for number in range(ROUNDS):
        exec_id = f"e{number}"
        held(store, exec_id)
        append(store, exec_id=exec_id, waits=[wait()])
        slept, settled = at_once(
            lambda e=exec_id: store.suspend(e, 1, 0), lambda e=exec_id: other.settle(e, "ask#1", "answered")
        )
        assert settled
        assert slept == store.execution(exec_id).ready, "asleep and to be woken, or awake"


def test_a_child_never_ends_unseen(store: Store, open_another: OpenStore) -> None:
    other = open_another()
    for number in range(ROUNDS):
        parent, child = f"p{number}", f"c{number}"
        held(store, parent)
        held(store, child)

        def register_and_look(parent: str = parent, child: str = child) -> bool:
            waits = [wait("child#1", kind=WaitKind.CHILD, child_exec_id=child)]
            append(store, exec_id=parent, waits=waits)
            return store.status(child).is_finished

        seen, _ = at_once(register_and_look, lambda c=child: finish(other, c))
        (registered,) = store.waits(parent)
        assert seen or registered.status == "answered"


def test_a_child_that_ends_wakes_a_parent_that_falls_asleep(store: Store, open_another: OpenStore) -> None:
    other = open_another()
    for number in range(ROUNDS):
        parent, child = f"p{number}", f"c{number}"
        held(store, parent)
        held(store, child)
        waits = [wait("child#1", kind=WaitKind.CHILD, child_exec_id=child)]
        append(store, exec_id=parent, waits=waits)
        slept, woken = at_once(lambda p=parent: store.suspend(p, 1, 0), lambda c=child: finish(other, c))
        assert woken == ([parent] if slept else [])
        assert store.execution(parent).ready == slept


def test_nothing_is_recorded_after_a_takeover(store: Store, open_another: OpenStore, clock: Clock) -> None:
    other = open_another()
    for number in range(ROUNDS // 4):
        exec_id = f"e{number}"
        held(store, exec_id)
        clock.now += LEASE

        def write(exec_id: str = exec_id) -> int:
            for seq in range(1, 10_000):
                try:
                    append(store, call(seq), exec_id=exec_id)
                except Fenced:
                    return seq - 1
            raise AssertionError("never fenced")

        def take(exec_id: str = exec_id) -> list[tuple[int, str]]:
            row = other.take(exec_id, "other", LEASE)
            assert row is not None
            return ids(other.calls(exec_id, limit=10_000))

        written, seen = at_once(write, take)
        assert len(seen) == written
        assert ids(store.calls(exec_id, limit=10_000)) == seen


def test_merged_metadata_keeps_every_key(store: Store, open_another: OpenStore) -> None:
    other = open_another()
    held(store)
    at_once(
        lambda: [store.merge_metadata("e1", {f"a{n}": n}) for n in range(ROUNDS)],
        lambda: [other.merge_metadata("e1", {f"b{n}": n}) for n in range(ROUNDS)],
        lambda: [append(store, call(n + 1), metadata={f"c{n}": n}) for n in range(ROUNDS)],
    )
    assert len(store.execution("e1").metadata) == 3 * ROUNDS


def test_families_are_cancelled_and_ended_at_once(store: Store, open_another: OpenStore) -> None:
    """Parents are locked before children by one side, children before parents by the other."""
    other = open_another()
    for number in range(ROUNDS // 2):
        parent, child = f"p{number}", f"c{number}"
        held(store, child, parent_exec_id=parent)
        suspended(store, wait("child#1", kind=WaitKind.CHILD, child_exec_id=child), exec_id=parent)
        status, woken = at_once(lambda p=parent: store.request_cancel(p), lambda c=child: finish(other, c))
        assert status is Status.CANCELLED
        assert woken in ([], [parent])
        assert store.status(child) is Status.COMPLETED
        assert [w.status for w in store.waits(parent)] == ["answered" if woken else "closed"]


@pytest.mark.parametrize("end", [Status.FAILED, Status.CANCELLED])
def test_reopening_and_ending_leave_one_outcome(store: Store, open_another: OpenStore, end: Status) -> None:
    other = open_another()
    for number in range(ROUNDS // 2):
        exec_id = f"e{number}"
        held(store, exec_id)
        append(store, failed(1, "step#1"), exec_id=exec_id)
        finish(store, exec_id, status=end)
        _, late = at_once(
            lambda e=exec_id: store.reopen(e, ["step#1"]),
            lambda e=exec_id: other.void(e, 1, ["step#1"], AttemptRecord("", 1, {})),
        )
        assert isinstance(late, Fenced)
        assert [attempt.attempt for attempt in store.attempts(exec_id)] == [1]
