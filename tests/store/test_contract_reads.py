"""What people look at."""

from __future__ import annotations

import pytest

from kitaru.errors import KitaruUsageError
from kitaru.store.protocol import Store
from kitaru.store.records import ArtifactRecord, LogRecord, StartRecord, Status, WaitKind
from tests.store.making import Clock, append, call, finish, held, ids, payload, suspended, wait


def start(
    call_id: str, exec_id: str = "e1", attempt: int = 1, progress: dict[str, int] | None = None
) -> StartRecord:
    return StartRecord(
        exec_id, call_id, call_id.partition("#")[0], "checkpoint", attempt, float(attempt), progress
    )


def line(message: str, call_id: str | None = None, exec_id: str = "e1") -> LogRecord:
    return LogRecord(exec_id, call_id, 1, 1.5, "stdout", "INFO", None, message)


def names(store: Store, **query: object) -> list[str]:
    found, cursor = store.reads.executions(**query)  # type: ignore[arg-type]
    assert cursor is None
    return [row.exec_id for row in found]


def test_executions_are_listed_newest_first(store: Store, clock: Clock) -> None:
    for number in range(4):
        clock.now += 1
        held(store, f"e{number}", flow_name=f"flow{number % 2}", stack_name="local" if number else None)
    finish(store, "e3", result=payload("result", preview="shown"))
    assert names(store) == ["e3", "e2", "e1", "e0"]
    assert names(store, flow="flow1") == ["e3", "e1"]
    assert names(store, status="completed") == ["e3"]
    assert names(store, stack="local") == ["e3", "e2", "e1"]
    assert names(store, since=clock.now - 1) == ["e3", "e2"]
    assert names(store, flow="flow0", status="running", stack="local", since=1.0) == ["e2"]
    assert names(store, flow="unknown") == []
    (newest,), _ = store.reads.executions(limit=1)
    assert newest.result is not None
    assert newest.result.data is None, "lists carry no payloads"


def test_pages_hold_each_execution_once(store: Store, clock: Clock) -> None:
    for number in range(7):
        clock.now += number % 2  # some at the same moment
        held(store, f"e{number}")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = store.reads.executions(limit=3, cursor=cursor)
        seen += [row.exec_id for row in page]
        held(store, f"later{len(seen)}")  # what comes meanwhile is not on a later page
        if cursor is None:
            break
    assert seen == ["e6", "e5", "e4", "e3", "e2", "e1", "e0"]


def test_a_page_that_is_just_full_is_the_last(store: Store) -> None:
    held(store)
    assert store.reads.executions(limit=1)[1] is None


def test_a_wrong_cursor_is_told(store: Store) -> None:
    with pytest.raises(KitaruUsageError, match="not a cursor"):
        store.reads.executions(cursor="nonsense")


def test_summaries_stand_in_the_order_of_the_flow(store: Store) -> None:
    held(store)
    shown = payload("x", preview="shown")
    append(store, call(1, "b#1", position=2, output=shown), call(2, "a#1", position=1, output=payload("y")))
    found = store.reads.call_summaries("e1")
    assert ids(found) == [(2, "a#1"), (1, "b#1")]
    (short, long) = found[0].output, found[1].output
    assert short is not None
    assert long is not None
    assert (long.data, long.preview, long.digest) == (None, "shown", "digest-of-x")
    assert short.data == b"y", "a short value is its own preview"


def test_one_summary_is_found_by_its_call(store: Store) -> None:
    held(store)
    append(store, call(1, "a#1"), call(2, "b#1"))
    assert ids(store.reads.call_summaries("e1", "b#1")) == [(2, "b#1")]
    assert store.reads.call_summaries("e1", "c#1") == []


def test_saved_artifacts_are_listed_without_long_bytes(store: Store) -> None:
    held(store)
    long = ArtifactRecord("b#1", 1, "long", "output", payload("x", preview="shown"), ["kept"])
    short = ArtifactRecord("a#1", 1, "short", "output", payload("y"))
    append(store, call(1, "b#1"), call(2, "a#1"), artifacts=[long, short])
    first, second = store.reads.artifact_summaries("e1")
    assert (first.name, first.tags, first.payload.data, first.payload.preview) == (
        "long",
        ["kept"],
        None,
        "shown",
    )
    assert (second.name, second.payload.data) == ("short", b"y")
    assert [item.name for item in store.reads.artifact_summaries("e1", "a#1")] == ["short"]
    assert store.saved("e1", "b#1", 1) == long.payload
    assert store.saved("e1", "b#1", 2) is None


def test_starts_are_those_without_a_record(store: Store) -> None:
    held(store)
    store.tell(starts=[start("a#1"), start("b#1")])
    append(store, call(1, "a#1"))
    assert store.reads.starts("e1") == [start("b#1")]
    store.tell(starts=[start("b#1", attempt=2, progress={"done": 1})])
    assert store.reads.starts("e1") == [start("b#1", attempt=2, progress={"done": 1})]
    store.tell(starts=[start("a#1", exec_id="nowhere")])
    assert store.reads.starts("nowhere") == []
    store.tell()


def test_logs_are_listed_oldest_first(store: Store) -> None:
    held(store)
    append(store, call(1, "step#1"))
    store.tell(logs=[line("one", "step#1"), line("two"), line("three", "step#2"), line("x", exec_id="e2")])
    store.tell(logs=[line("four", "step#1")], starts=[start("step#2"), start("other#1")])

    def messages(**query: object) -> list[str]:
        return [log.message for log in store.reads.logs("e1", **query)]  # type: ignore[arg-type]

    assert messages() == ["one", "two", "three", "four"]
    assert messages(limit=2) == ["one", "two"]
    assert messages(call_id="step#1") == ["one", "four"]
    assert messages(name="step") == ["one", "three", "four"]
    assert messages(name="other") == []
    second = store.reads.logs("e1")[1]
    assert second.log_id is not None
    assert messages(after_id=second.log_id) == ["three", "four"]
    assert messages(after_id=second.log_id, name="step", limit=1) == ["three"]


def test_a_line_that_no_database_can_hold_is_made_readable(store: Store) -> None:
    held(store)
    store.tell(logs=[line("a\0b \ud83d \N{GREEK SMALL LETTER ALPHA}")])
    (log,) = store.reads.logs("e1")
    assert log.message == "a␀b \\ud83d \N{GREEK SMALL LETTER ALPHA}"


def test_open_questions_are_listed_oldest_first(store: Store, clock: Clock) -> None:
    suspended(store, wait("second"), wait("nap", kind=WaitKind.TIMER), exec_id="e1")
    clock.now -= 1
    suspended(store, wait("first"), exec_id="e2")
    suspended(store, wait("answered"), exec_id="e3")
    store.settle("e3", "answered", "answered")
    suspended(store, wait("cancelled"), exec_id="e4")
    store.request_cancel("e4")
    found = store.reads.pending_waits()
    assert [(exec_id, question.call_id) for exec_id, question in found] == [("e2", "first"), ("e1", "second")]
    assert store.reads.pending_waits("e1") == found[1:]
    assert store.reads.pending_waits("e3") == []


def test_statistics_count_by_group(store: Store, clock: Clock) -> None:
    held(store, "e1", flow_name="a", stack_name="local")
    held(store, "e2", flow_name="a")
    held(store, "e3", flow_name="b")
    suspended(store, wait(), exec_id="e4", flow_name="b")
    append(store, call(1), call(2), call(3, kind="value"))
    clock.now += 4
    finish(store, "e1")
    clock.now += 2
    finish(store, "e2", status=Status.FAILED)
    a = {"executions": 2, "completed": 1, "failed": 1, "cancelled": 0, "waiting": 0, "running": 0}
    b = {"executions": 2, "completed": 0, "failed": 0, "cancelled": 0, "waiting": 1, "running": 1}
    unused = {"model_calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "unpriced_calls": 0}
    assert store.reads.statistics("flow") == [
        {"group": "a", **a, "checkpoints": 2, "mean_seconds": 5.0, **unused},
        {"group": "b", **b, "checkpoints": 0, "mean_seconds": None, **unused},
    ]
    assert [row["group"] for row in store.reads.statistics("status")] == [
        "completed",
        "failed",
        "running",
        "waiting",
    ]
    assert [row["group"] for row in store.reads.statistics("stack")] == [None, "local"]
    assert [(row["group"], row["executions"]) for row in store.reads.statistics("day")] == [("2027-01-15", 4)]
    with pytest.raises(KitaruUsageError, match="flow, model, status, day, stack"):
        store.reads.statistics("moon")


def test_purging_deletes_what_has_ended(store: Store) -> None:
    for exec_id in ("e1", "e2", "e3"):
        held(store, exec_id)
        append(store, call(1), exec_id=exec_id, waits=[wait()])
        store.tell(logs=[line("x", exec_id=exec_id)], starts=[start("step#2", exec_id=exec_id)])
    finish(store, "e1")
    finish(store, "e2")
    assert store.reads.purge(["e1", "e3", "nowhere", "e1"]) == 1
    assert store.reads.purge([]) == 0
    assert names(store) == ["e3", "e2"]
    assert (store.calls("e1"), store.waits("e1"), store.reads.logs("e1")) == ([], [], [])
    for exec_id in ("e2", "e3"):
        assert len(store.calls(exec_id)) == len(store.waits(exec_id)) == len(store.reads.logs(exec_id)) == 1
