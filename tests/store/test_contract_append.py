"""Appending to the journal, and reading it back."""

from __future__ import annotations

import pytest

from kitaru.errors import KitaruRuntimeError
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import Append, ArtifactRecord, AttemptRecord, Blob, CallRecord, Status, WaitStatus
from tests.store.conftest import OpenStore
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
    wait,
)

FULL = CallRecord(
    seq=1,
    call_id="step#1",
    position=7,
    kind="checkpoint",
    name="step",
    status="failed",
    attempts=3,
    inputs={"x": {"d": "digest", "text": "ü\0\ud800"}},
    code_digest="code",
    cache_key="key",
    output=payload("out", data=b"\x00\xff", preview="shown", type="bytes", location="inline"),
    error={"type": "ValueError", "number": 1.5, "nan": None},
    started_at=1_800_000_000.123456,
    ended_at=1_800_000_001.654321,
    info={"type": "tool_call"},
)
EMPTY = CallRecord(2, "step#2", 8, "value", "step", "completed")


def test_a_call_comes_back_as_it_was(store: Store, open_another: OpenStore) -> None:
    held(store)
    append(store, FULL)
    append(store, EMPTY)
    assert open_another().calls("e1") == [FULL, EMPTY]


def test_a_call_comes_back_without_its_bytes(store: Store) -> None:
    held(store)
    append(store, FULL)
    (slim,) = store.calls("e1", data=False)
    assert slim.output is not None
    assert slim.output.data is None
    assert (slim.output.digest, slim.output.size, slim.output.preview) == ("digest-of-out", 3, "shown")
    assert store.output("e1", "step#1") == FULL.output


def test_an_output_that_is_not_there_is_none(store: Store) -> None:
    held(store)
    append(store, EMPTY)
    assert store.output("e1", "step#2") is None
    assert store.output("e1", "step#3") is None


@pytest.mark.parametrize("size", [0, 65_535, 300_000])
def test_outputs_of_any_size_come_back(store: Store, size: int) -> None:
    held(store)
    data = bytes(number % 256 for number in range(size))
    append(store, call(1, output=payload("x", data=data, size=size)))
    (record,) = store.calls("e1")
    assert record.output is not None
    assert record.output.data == data


def test_pages_follow_the_sequence(store: Store) -> None:
    held(store)
    append(store, *(call(seq, position=100 - seq) for seq in range(1, 8)))
    assert [record.seq for record in store.calls("e1", limit=3)] == [1, 2, 3]
    assert [record.seq for record in store.calls("e1", after_seq=3, limit=3)] == [4, 5, 6]
    assert [record.seq for record in store.calls("e1", after_seq=6, limit=3)] == [7]
    assert store.calls("e1", after_seq=7) == []


def test_an_append_is_written_whole(store: Store, clock: Clock) -> None:
    held(store)
    artifact = ArtifactRecord("step#2", 0, "report", "output", payload("saved"), ["a", "b"])
    attempt = AttemptRecord("step#2", 1, {"type": "ValueError"}, 1.0, 2.0)
    question = wait(question="Sure?\0", schema={"type": "boolean"}, metadata={"a": 1}, due_at=clock.now + 9)
    append(
        store,
        call(1),
        call(2),
        attempts=[attempt],
        artifacts=[artifact],
        blobs=[Blob("d2", b"2"), Blob("d1", b"1")],
        waits=[question],
        metadata={"cost": 1},
    )
    assert ids(store.calls("e1")) == [(1, "step#1"), (2, "step#2")]
    assert store.attempts("e1") == [attempt]
    assert store.artifacts("e1") == [artifact]
    assert store.blobs(["d1", "d2"]) == {"d1": b"1", "d2": b"2"}
    assert store.execution("e1").metadata == {"cost": 1}
    (asked,) = store.waits("e1")
    assert asked.question == "Sure?␀", "text for people, as every database can hold it"
    assert (asked.schema, asked.metadata, asked.due_at) == ({"type": "boolean"}, {"a": 1}, clock.now + 9)
    assert (asked.status, asked.created_at, asked.settled_at) == (WaitStatus.PENDING, clock.now, None)


def test_metadata_of_appends_is_merged_key_by_key(store: Store) -> None:
    held(store)
    append(store, metadata={"a": 1, "b": {"x": 1}})
    append(store, call(1), metadata={"b": {"y": 2}})
    assert store.execution("e1").metadata == {"a": 1, "b": {"y": 2}}


def test_a_repeat_writes_nothing(store: Store, open_another: OpenStore) -> None:
    held(store)
    append(store, call(1, inputs={"first": 1}))
    append(store, call(1, inputs={"second": 2}))
    append(open_another(), call(1), call(2), attempts=[AttemptRecord("step#2", 1, {"n": 1})])
    append(store, call(1), call(2), attempts=[AttemptRecord("step#2", 1, {"n": 2})])
    assert ids(store.calls("e1")) == [(1, "step#1"), (2, "step#2")]
    assert store.calls("e1")[0].inputs == {"first": 1}
    assert [attempt.error for attempt in store.attempts("e1")] == [{"n": 1}]


@pytest.mark.parametrize("wrong", [call(1, "other#1"), call(2, "step#1")])
def test_a_sequence_that_does_not_fit_is_refused_whole(store: Store, wrong: CallRecord) -> None:
    held(store)
    append(store, call(1))
    before = everything(store)
    with pytest.raises(KitaruRuntimeError, match="kitaru executions resume e1"):
        append(store, wrong)
    with pytest.raises(KitaruRuntimeError):
        append(store, call(3), wrong, blobs=[Blob("d", b"x")], waits=[wait()])
    assert everything(store) == before
    assert store.blobs(["d"]) == {}


def test_waits_already_there_are_left_alone(store: Store, clock: Clock) -> None:
    held(store)
    append(store, waits=[wait(due_at=clock.now + 10)])
    clock.now += 5
    append(store, call(1), waits=[wait(due_at=clock.now + 10), wait("ask#2")])
    assert [(w.call_id, w.due_at) for w in store.waits("e1")] == [("ask#1", clock.now + 5), ("ask#2", None)]


def test_an_equal_blob_is_kept_once(store: Store) -> None:
    held(store)
    held(store, "e2")
    append(store, call(1), blobs=[Blob("d", b"x")])
    append(store, call(1), blobs=[Blob("d", b"x")], exec_id="e2")
    assert store.blobs(iter(["d", "d"])) == {"d": b"x"}
    assert store.blobs([]) == {}


def lose_by_takeover(store: Store, clock: Clock) -> None:
    clock.now += LEASE
    assert store.take("e1", "other", LEASE) is not None


def lose_by_suspension(store: Store, clock: Clock) -> None:
    assert store.suspend("e1", 1, 0)


def lose_by_end(store: Store, clock: Clock) -> None:
    finish(store)


def lose_by_cancellation(store: Store, clock: Clock) -> None:
    clock.now += LEASE
    assert store.request_cancel("e1") is Status.CANCELLED


LOSSES = [lose_by_takeover, lose_by_suspension, lose_by_end, lose_by_cancellation]


@pytest.mark.parametrize("lose", LOSSES)
def test_who_has_lost_the_lease_records_nothing(
    store: Store, open_another: OpenStore, clock: Clock, lose: object
) -> None:
    held(store)
    append(store, call(1))
    zombie = open_another()
    assert callable(lose)
    lose(store, clock)
    before = everything(store)
    writes = [
        Append("e1", 1, [call(2)]),
        Append("e1", 1, [call(2), call(3)]),
        Append("e1", 1, attempts=[AttemptRecord("step#2", 1, {})]),
        Append("e1", 1, waits=[wait("ask#2")]),
        Append("e1", 1, blobs=[Blob("d", b"x")]),
        Append("e1", 1, metadata={"a": 1}),
        Append("e1", 1),
        Append("e1", 9, [call(2)]),
    ]
    for write in writes:
        with pytest.raises(Fenced):
            zombie.append(write)
    assert everything(store) == before
    assert store.blobs(["d"]) == {}


def test_a_zombies_repeat_of_what_another_runner_recorded_is_fenced(store: Store, clock: Clock) -> None:
    held(store)
    lose_by_takeover(store, clock)
    append(store, call(1, inputs={"by": "other"}), epoch=2)
    with pytest.raises(Fenced):
        append(store, call(1, inputs={"by": "zombie"}), epoch=1)
    assert store.calls("e1")[0].inputs == {"by": "other"}


def test_a_lease_that_ended_untaken_still_writes(store: Store, clock: Clock) -> None:
    held(store)
    clock.now += 10 * LEASE
    append(store, call(1))
    assert ids(store.calls("e1")) == [(1, "step#1")]


def test_nobody_writes_to_an_execution_without_a_lease(store: Store) -> None:
    store.create(new())
    with pytest.raises(Fenced):
        append(store, call(1), epoch=0)
    with pytest.raises(Fenced):
        append(store, call(1), exec_id="nowhere")


def test_attempts_are_listed_by_call_and_number(store: Store) -> None:
    held(store)
    listed = [AttemptRecord("a#1", 2, {}), AttemptRecord("b#1", 1, {}), AttemptRecord("a#1", 10, {})]
    append(store, attempts=listed)
    assert [(a.call_id, a.attempt) for a in store.attempts("e1")] == [("a#1", 2), ("a#1", 10), ("b#1", 1)]
    assert [a.attempt for a in store.attempts("e1", "a#1")] == [2, 10]


def test_artifacts_are_listed_oldest_first(store: Store) -> None:
    held(store)
    append(
        store,
        call(1, "z#1"),
        artifacts=[ArtifactRecord("z#1", n, f"z{n}", "output", payload()) for n in (1, 0)],
    )
    append(store, call(2, "a#1"), artifacts=[ArtifactRecord("a#1", 0, "a", "output", payload())])
    assert [artifact.name for artifact in store.artifacts("e1")] == ["z0", "z1", "a"]


def test_the_newest_completed_call_answers_for_a_cache_key(store: Store) -> None:
    for number, exec_id in enumerate(("e1", "e2", "e3"), start=1):
        held(store, exec_id)
        append(store, call(1, cache_key="key", ended_at=float(number)), exec_id=exec_id)
    append(store, failed(2, "x#1", cache_key="key", ended_at=9.0), exec_id="e1")
    append(store, call(3, cache_key="other", ended_at=9.0), exec_id="e1")
    hit = store.cached("key")
    assert hit is not None
    assert hit[0] == "e3"
    assert hit[1] == store.calls("e3")[0]
    assert store.cached("unknown") is None
