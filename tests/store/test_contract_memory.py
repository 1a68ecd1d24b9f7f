"""Memory: versions in scopes, compare-and-set, as of a moment, search, upkeep."""

from __future__ import annotations

import threading

import pytest

from kitaru.store.memory_records import Conflict, Journalled, MemoryWrite, Scope, VersionRecord
from kitaru.store.memory_upkeep import source_of, version_of
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import Append, Blob, CallRecord, LinkRecord
from tests.store.conftest import OpenStore
from tests.store.making import Clock, append, call, finish, held, payload

HERE = Scope("namespace", "team")


def put(
    store: Store, key: str, value: str | None, *, scope: Scope = HERE, expect: int | None = None
) -> VersionRecord:
    kept = None if value is None else payload(value)
    written = store.memory.write(MemoryWrite(scope, key, kept, text=value, expect=expect))
    assert isinstance(written, VersionRecord)
    return written


def shown(records: list[VersionRecord]) -> list[tuple[str, int, str | None]]:
    return [
        (r.key, r.version, None if r.payload is None else r.payload.digest.removeprefix("digest-of-"))
        for r in records
    ]


def test_versions_of_a_key(store: Store, clock: Clock, open_another: OpenStore) -> None:
    assert store.memory.read(HERE, "a").version is None
    first = put(store, "a", "1")
    assert (first.version, first.seq, first.created_at) == (1, 1, clock.now)
    put(store, "b", "x")
    put(store, "a", None)
    put(store, "a", "3")
    other = open_another().memory
    current = other.read(HERE, "a")
    assert current.version is not None
    assert (current.version.version, current.version.payload, current.seq) == (3, payload("3"), 4)
    assert shown(other.history(HERE, "a")) == [("a", 3, "3"), ("a", 2, None), ("a", 1, "1")]
    assert shown(other.history(HERE, "a", before=3, limit=1)) == [("a", 2, None)]
    old = other.read(HERE, "a", version=1).version
    assert old is not None
    assert old.payload == payload("1")
    assert other.read(HERE, "a", version=9).version is None
    assert other.read(Scope("flow", "team"), "a").version is None


def test_lists_and_pages(store: Store) -> None:
    for key in ("b/2", "a", "b/1", "b/3"):
        put(store, key, key)
    put(store, "b/3", None)
    assert shown(store.memory.entries(HERE)) == [("a", 1, "a"), ("b/1", 1, "b/1"), ("b/2", 1, "b/2")]
    assert shown(store.memory.entries(HERE, prefix="b/")) == [("b/1", 1, "b/1"), ("b/2", 1, "b/2")]
    assert shown(store.memory.entries(HERE, after="a", limit=1)) == [("b/1", 1, "b/1")]
    assert ("b/3", 2, None) in shown(store.memory.entries(HERE, deleted=True))
    put(store, "z", "z", scope=Scope("flow", "f"))
    assert [(s.scope, s.entries, s.seq) for s in store.memory.scopes()] == [
        (Scope("flow", "f"), 1, 1),
        (HERE, 3, 5),
    ]


def test_compare_and_set(store: Store) -> None:
    assert put(store, "a", "1", expect=0).version == 1
    lost = store.memory.write(MemoryWrite(HERE, "a", payload("2"), expect=0))
    assert lost == Conflict(1, 1)
    assert put(store, "a", "2", expect=1).version == 2


def test_as_of(store: Store, clock: Clock) -> None:
    put(store, "a", "1")
    put(store, "b", "1")
    clock.now += 10
    put(store, "a", "2")
    put(store, "b", None)
    moment = store.memory.seq_at(HERE, clock.now - 1)
    assert moment == 2
    assert shown(store.memory.entries(HERE, upto=moment)) == [("a", 1, "1"), ("b", 1, "1")]
    assert shown(store.memory.entries(HERE, upto=3)) == [("a", 2, "2"), ("b", 1, "1")]
    assert shown(store.memory.entries(HERE, upto=0)) == []
    found = store.memory.read(HERE, "a", upto=2).version
    assert found is not None
    assert found.version == 1
    assert store.memory.seq_at(HERE, 0.0) == 0


def journalled(store: Store, seq: int, epoch: int) -> Journalled:
    def record(outcome: VersionRecord | Conflict) -> Append:
        info = (
            {"memory": {"current": outcome.current, "seq": outcome.seq}}
            if isinstance(outcome, Conflict)
            else None
        )
        made = CallRecord(seq, f"memory.set#{seq}", seq, "memory", "memory.set", "completed", 1, info=info)
        return Append("e1", epoch, [made])

    return Journalled("e1", epoch, seq, record)


def test_a_write_and_its_call_are_one_commit_and_happen_once(store: Store) -> None:
    epoch = held(store).epoch
    write = MemoryWrite(HERE, "a", payload("1"), [Blob("d", b"1")], exec_id="e1", call_id="memory.set#1")
    first = store.memory.write(write, journalled(store, 1, epoch))
    again = store.memory.write(write, journalled(store, 1, epoch))
    assert isinstance(first, VersionRecord)
    assert again == first
    assert [c.call_id for c in store.calls("e1")] == ["memory.set#1"]
    assert store.blobs(["d"]) == {"d": b"1"}
    assert shown(store.memory.written_by("e1")) == [("a", 1, "1")]
    put(store, "a", "2")
    lost = MemoryWrite(HERE, "a", payload("x"), expect=1, exec_id="e1", call_id="memory.set#2")
    assert store.memory.write(lost, journalled(store, 2, epoch)) == Conflict(2, 2)
    put(store, "a", "3")
    assert store.memory.write(lost, journalled(store, 2, epoch)) == Conflict(2, 2), "as it is on record"


def test_who_lost_the_lease_writes_nothing(store: Store) -> None:
    epoch = held(store).epoch
    write = MemoryWrite(HERE, "a", payload("1"), exec_id="e1", call_id="memory.set#1")
    with pytest.raises(Fenced):
        store.memory.write(write, journalled(store, 1, epoch - 1))
    assert store.memory.read(HERE, "a").version is None


def test_increments_of_many_threads(store: Store) -> None:
    put(store, "n", "0")

    def count() -> None:
        for _ in range(20):
            while True:
                found = store.memory.read(HERE, "n").version
                assert found is not None
                assert found.payload is not None
                value = str(int(found.payload.digest.removeprefix("digest-of-")) + 1)
                write = MemoryWrite(HERE, "n", payload(value), expect=found.version)
                if isinstance(store.memory.write(write), VersionRecord):
                    break

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = store.memory.history(HERE, "n", limit=1000)
    assert shown(history)[0] == ("n", 101, "100")
    assert [record.version for record in history] == list(range(101, 0, -1))


def test_search(store: Store) -> None:
    put(store, "a", "The quick brown fox")
    put(store, "b", "a lazy dog, quick to sleep")
    put(store, "c", "nothing", scope=Scope("flow", "quick"))
    put(store, "d", "quick and gone")
    put(store, "d", None)
    assert {r.key for r in store.memory.search("quick")} == {"a", "b"}
    assert [r.key for r in store.memory.search("QUICK fox")] == ["a"]
    assert [r.key for r in store.memory.search("nothing", Scope("flow", "quick"))] == ["c"]
    assert store.memory.search("nothing", HERE) == []
    put(store, "a", "changed")
    assert [r.key for r in store.memory.search("quick")] == ["b"]
    for odd in ('"', "AND", "a* OR (", "-- '; DROP TABLE memory_keys", ""):
        assert store.memory.search(odd) == []


def test_purging_keeps_numbers_and_what_was_read(store: Store) -> None:
    epoch = held(store).epoch
    for value in "1234":
        put(store, "a", value)
    source = source_of(HERE, "a", 2)
    assert version_of(source) == (HERE, "a", 2)
    link = LinkRecord("read#1", "memory", source, source)
    append(store, call(1, "read#1"), epoch=epoch, links=[link])
    done = store.memory.purge(HERE, "a", keep=1)
    assert (done.deleted, done.kept, done.keys) == (2, 1, 1)
    assert shown(store.memory.history(HERE, "a")) == [("a", 4, "4")]
    assert store.memory.read(HERE, "a", version=2).version is None
    store.memory.purge(HERE, "a")
    assert store.memory.history(HERE, "a") == []
    assert put(store, "a", "5").version == 5
    finish(store, "e1")
    store.reads.purge(["e1"])
    assert shown(store.memory.history(HERE, "a")) == [("a", 5, "5")]
    assert [entry.operation for entry in store.memory.audit(HERE)] == ["purge", "purge"]
    assert store.memory.audit()[0].info["versions_deleted"] == 1


def test_purging_a_scope(store: Store) -> None:
    put(store, "a", "1")
    put(store, "a", "2")
    put(store, "b", "1")
    put(store, "b", None)
    assert store.memory.purge(HERE, keep=1).deleted == 1
    assert shown(store.memory.history(HERE, "b")) == [("b", 2, None), ("b", 1, "1")]
    assert store.memory.purge(HERE, keep=1, include_deleted=True).deleted == 2
    assert shown(store.memory.entries(HERE, deleted=True)) == [("a", 2, "2")]
    noted = store.memory.note("compact", HERE, {"keys": ["a"]})
    assert store.memory.audit(HERE, limit=1) == [noted]
