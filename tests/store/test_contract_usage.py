"""Model and tool calls, what they cost, and links between executions."""

from __future__ import annotations

from typing import Any

import pytest

from kitaru.errors import KitaruStateError
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import LinkRecord, SubcallRecord
from tests.store.conftest import OpenStore
from tests.store.making import Clock, append, held

FULL = SubcallRecord(
    "draft#1/llm#1",
    "draft#1",
    2,
    "llm_call",
    "llm",
    status="failed",
    parent_id="draft#1/turn#1",
    provider="anthropic",
    model="claude",
    input_tokens=10,
    output_tokens=5,
    cache_read_tokens=4,
    cache_write_tokens=3,
    reasoning_tokens=2,
    cost_usd=0.125,
    started_at=1_800_000_000.5,
    ended_at=1_800_000_001.5,
    error={"type": "ModelHTTPError"},
    info={"session": "s"},
)


def used(child_id: str, **fields: Any) -> SubcallRecord:
    given = {"provider": "openai", "model": "gpt", "started_at": 1_800_000_000.0} | fields
    return SubcallRecord(
        child_id, child_id.partition("/")[0], 1, given.pop("kind", "llm_call"), "llm", **given
    )


def test_a_subcall_comes_back_as_it_was(store: Store, open_another: OpenStore) -> None:
    held(store)
    append(store, subcalls=[FULL, used("other#1/llm#1")])
    assert open_another().reads.subcalls("e1", "draft#1") == [FULL]
    assert [found.child_id for found in store.reads.subcalls("e1")] == ["other#1/llm#1", "draft#1/llm#1"]


def test_a_repeat_of_a_subcall_writes_nothing(store: Store) -> None:
    held(store)
    for _ in range(2):
        append(store, subcalls=[FULL])
    assert store.reads.subcalls("e1") == [FULL]


def test_a_subcall_is_written_under_the_lease_alone(store: Store) -> None:
    held(store)
    with pytest.raises(Fenced):
        append(store, epoch=2, subcalls=[FULL])
    with pytest.raises(Fenced):
        append(store, epoch=2, links=[LinkRecord("a#1", "load", "e2", "e2/b#1/output")])
    assert store.reads.subcalls("e1") == []
    assert store.reads.links_from("e1") == []


def test_the_highest_number_of_each_calls_subcalls_is_known(store: Store) -> None:
    held(store)
    append(store, subcalls=[FULL, used("draft#1/llm#10"), used("draft#1/llm#9"), used("other#1/llm#1")])
    assert store.subcall_numbers("e1") == {"draft#1": 10, "other#1": 1}
    assert store.subcall_numbers("e2") == {}


def test_links_are_found_from_both_ends(store: Store) -> None:
    for exec_id in ("e1", "e2"):
        held(store, exec_id)
    link = LinkRecord("a#1", "load", "e2", "e2/b#1/output")
    append(store, links=[link])
    assert store.reads.links_from("e1") == [link]
    assert store.reads.links_to("e2") == [("e1", link)]
    assert store.reads.links_to("e1") == []


def test_what_an_execution_spent_counts_its_children(store: Store) -> None:
    held(store, "parent")
    held(store, "child", parent_exec_id="parent", parent_call_id="c#1")
    held(store, "grandchild", parent_exec_id="child", parent_call_id="c#1")
    held(store, "stranger")
    for exec_id, cost in (("parent", 1.0), ("child", 0.25), ("grandchild", 0.5), ("stranger", 9.0)):
        append(store, exec_id=exec_id, subcalls=[used("a#1/llm#1", cost_usd=cost)])
    append(
        store, exec_id="parent", subcalls=[used("a#1/llm#2"), used("a#1/t#1", kind="tool_call", cost_usd=7.0)]
    )
    found = store.reads.usage(["parent", "grandchild", "unknown"])
    assert {exec_id: (used["model_calls"], used["cost_usd"]) for exec_id, used in found.items()} == {
        "parent": (4, 1.75),
        "grandchild": (1, 0.5),
        "unknown": (0, 0.0),
    }
    assert store.reads.usage([]) == {}


def test_statistics_sum_what_model_calls_cost(store: Store, clock: Clock) -> None:
    clock.now = 1_800_000_000.0  # 2027-01-15
    held(store, "e1", flow_name="a")
    held(store, "e2", flow_name="b")
    append(
        store,
        exec_id="e1",
        subcalls=[
            used("x#1/llm#1", cost_usd=0.5, input_tokens=10, output_tokens=1),
            used("x#1/llm#2", cost_usd=0.25, input_tokens=20, output_tokens=2, started_at=1_800_086_400.0),
            used("x#1/llm#3", provider=None, model="local", input_tokens=5),
            used("x#1/llm#4", status="failed"),
        ],
    )
    gpt = {"model_calls": 3, "input_tokens": 30, "output_tokens": 3, "cost_usd": 0.75, "unpriced_calls": 0}
    local = {"model_calls": 1, "input_tokens": 5, "output_tokens": 0, "cost_usd": None, "unpriced_calls": 1}
    assert store.reads.statistics("model") == [{"group": "local", **local}, {"group": "openai/gpt", **gpt}]
    flows = {row["group"]: (row["cost_usd"], row["unpriced_calls"]) for row in store.reads.statistics("flow")}
    assert flows == {"a": (0.75, 1), "b": (0.0, 0)}
    days = [(row["group"], row["executions"], row["cost_usd"]) for row in store.reads.statistics("day")]
    assert days == [("2027-01-15", 2, 0.5), ("2027-01-16", 0, 0.25)]


def test_a_spec_is_merged_by_its_runner_or_by_anybody(store: Store) -> None:
    held(store, spec={"a": 1, "b": 1})
    store.merge_spec("e1", {"b": 2}, 1)
    store.merge_spec("e1", {"c": 3})
    assert store.execution("e1").spec == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(Fenced):
        store.merge_spec("e1", {"b": 4}, 2)
    with pytest.raises(KitaruStateError):
        store.merge_spec("nobody", {})
