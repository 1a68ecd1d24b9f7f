"""Writers that meet share a transaction; each gets its own outcome."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kitaru.store.commits import Entry, GroupCommit
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import Blob
from tests.store.conftest import OpenStore
from tests.store.making import LEASE, Clock, append, call, held, ids, wait
from tests.support.processes import wait_until

THREADS = 16
APPENDS = 50


def test_sixteen_writers_and_one_that_is_fenced(store: Store, open_another: OpenStore, clock: Clock) -> None:
    names = [f"e{number:02}" for number in range(THREADS)]
    for name in names:
        held(store, name)
    clock.now += LEASE
    fenced = names[7]
    assert open_another().take(fenced, "other", LEASE) is not None
    start = threading.Barrier(THREADS)

    def write(name: str) -> int:
        start.wait()
        done = 0
        for seq in range(1, APPENDS + 1):
            parts: dict[str, Any] = {}
            if seq % 3 == 0:
                parts = {"blobs": [Blob(f"shared-{seq}", b"x"), Blob(f"{name}-{seq}", b"x")]}
            if seq % 5 == 0:
                parts["waits"] = [wait(f"{seq}")]
            if seq % 7 == 0:
                parts["metadata"] = {str(seq): seq}
            try:
                append(store, call(seq), exec_id=name, **parts)
            except Fenced:
                continue
            done += 1
        return done

    with ThreadPoolExecutor(THREADS) as threads:
        done = dict(zip(names, threads.map(write, names), strict=True))
    assert done == {name: 0 if name == fenced else APPENDS for name in names}
    expected = [(seq, f"step#{seq}") for seq in range(1, APPENDS + 1)]
    for name in names:
        assert ids(store.calls(name)) == ([] if name == fenced else expected)
        assert len(store.waits(name)) == (0 if name == fenced else APPENDS // 5)
        assert len(store.execution(name).metadata) == (0 if name == fenced else APPENDS // 7)


def test_one_write_that_cannot_be_stored_fails_alone(store: Store) -> None:
    names = [f"e{number}" for number in range(8)]
    for name in names:
        held(store, name)
    start = threading.Barrier(len(names))

    def write(name: str) -> list[str]:
        start.wait()
        errors: list[str] = []
        for seq in range(1, 21):
            # A call's name is taken as it is, and no database can hold a lone surrogate.
            bad = name == "e3" and seq % 2 == 0
            record = call(seq, f"step#{seq}", kind="\ud800" if bad else "checkpoint")
            try:
                append(store, record, exec_id=name)
            except Exception as error:
                errors.append(type(error).__name__)
        return errors

    with ThreadPoolExecutor(len(names)) as threads:
        errors = dict(zip(names, threads.map(write, names), strict=True))
    assert len(errors.pop("e3")) == 10
    assert not any(errors.values())
    for name in names:
        assert len(store.calls(name)) == (10 if name == "e3" else 20)


class Batches:
    """A database that commits when it is told to, and remembers what stood in each batch."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.started = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.interrupts: set[Any] = set()
        self.group = GroupCommit(self.commit)

    def commit(self, batch: list[Entry]) -> None:
        self.batches.append([entry.work for entry in batch])
        self.started.release()
        self.go_on.acquire()
        for entry in batch:
            if entry.work in self.interrupts:
                self.interrupts.remove(entry.work)
                raise KeyboardInterrupt
            if entry.work == "bad":
                entry.fail(ValueError("bad"))
            else:
                entry.value = f"{entry.work} done"
                entry.settled = True

    def run(self, work: Any) -> Any:
        try:
            return self.group.run(work)
        except (ValueError, KeyboardInterrupt) as error:
            return type(error)

    def queue_up(self, threads: ThreadPoolExecutor, *works: str) -> list[Any]:
        """Start the works one after the other, each once the one before stands in the queue."""
        futures: list[Any] = []
        for work in works:
            waiting = len(self.group._queue)
            futures.append(threads.submit(self.run, work))
            wait_until(lambda n=waiting: len(self.group._queue) == n + 1, f"{work} to queue up")
        return futures


@pytest.fixture
def batches() -> Batches:
    return Batches()


def test_who_comes_during_a_commit_shares_the_next(batches: Batches) -> None:
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(batches.run, "a")
        batches.started.acquire()
        others = batches.queue_up(threads, "b", "bad", "c")
        batches.go_on.release(2)
        assert first.result() == "a done"
        assert [other.result() for other in others] == ["b done", ValueError, "c done"]
    assert batches.batches == [["a"], ["b", "bad", "c"]]


def test_what_an_interrupted_leader_leaves_is_committed_by_the_next(batches: Batches) -> None:
    batches.interrupts = {"b"}
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(batches.run, "a")
        batches.started.acquire()
        others = batches.queue_up(threads, "b", "c", "d")
        batches.go_on.release(3)
        assert [first.result(), *(other.result() for other in others)] == [
            "a done",
            KeyboardInterrupt,
            "c done",
            "d done",
        ]
    assert batches.batches == [["a"], ["b", "c", "d"], ["c", "d"]]
    batches.go_on.release()
    assert batches.run("e") == "e done"


def test_to_be_alone_is_to_wait_for_the_turn(batches: Batches) -> None:
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(batches.run, "a")
        batches.started.acquire()
        (second,) = batches.queue_up(threads, "b")
        alone = threads.submit(batches.group.lead_alone)
        wait_until(lambda: len(batches.group._queue) == 2, "the one that wants to be alone to queue up")
        (third,) = batches.queue_up(threads, "c")
        batches.go_on.release(2)
        entry = alone.result()
        assert [first.result(), second.result()] == ["a done", "b done"]
        assert not third.done()
        assert batches.batches == [["a"], ["b"]]
        batches.group.end_alone(entry)
        batches.go_on.release()
        assert third.result() == "c done"
    assert batches.batches == [["a"], ["b"], ["c"]]
