"""Two executions, and two artifacts, side by side."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

import kitaru
from kitaru import KitaruClient


class Plan(BaseModel):
    steps: list[str]
    score: int


@kitaru.checkpoint
def research(topic: str) -> str:
    return f"first line\nnotes on {topic}\nlast line"


@kitaru.checkpoint
def plan(notes: str, size: int) -> Plan:
    return Plan(steps=[notes.splitlines()[1]] * size, score=size)


@kitaru.checkpoint
def extra() -> bytes:
    return b"\x00\x01"


@kitaru.flow
def planning(topic: str, size: int) -> Plan:
    notes = research(topic)
    if size > 1:
        extra()
    return plan(notes, size)


def changes(client: KitaruClient, a: str, b: str) -> dict[str, str]:
    return {call.call_id: call.change for call in client.executions.diff(a, b).calls}


def test_what_is_the_same_changed_and_only_in_one(client: KitaruClient) -> None:
    one, other = planning.run("tea", 1), planning.run("tea", 2)
    one.wait()
    other.wait()
    found = client.executions.diff(one.exec_id, other.exec_id)
    assert {call.call_id: call.change for call in found.calls} == {
        "research#1": "same",
        "plan#1": "changed",
        "extra#1": "only_b",
    }
    assert [(value.name, value.same) for value in found.inputs] == [("topic", True), ("size", False)]
    assert not found.result.same
    (changed,) = [call for call in found.calls if call.change == "changed"]
    assert [value.name for value in changed.inputs if not value.same] == ["size"]
    assert found.model_dump(mode="json")["a"]["exec_id"] == one.exec_id


def test_a_replay_shows_what_it_reused(client: KitaruClient) -> None:
    one = planning.run("tea", 1)
    one.wait()
    other = planning.replay(one.exec_id, from_="plan")
    other.wait()
    assert changes(client, one.exec_id, other.exec_id) == {"research#1": "reused", "plan#1": "same"}
    assert changes(client, other.exec_id, one.exec_id) == {"research#1": "reused", "plan#1": "same"}


def test_artifacts_by_structure_by_line_and_by_size(client: KitaruClient) -> None:
    one, other = planning.run("tea", 2), planning.run("milk", 3)
    one.wait()
    other.wait()

    def diff(name: str) -> Any:
        (a,), (b,) = (client.artifacts.list(handle.exec_id, name=name) for handle in (one, other))
        return client.artifacts.diff(a.artifact_id, b.artifact_id)

    structure = diff("plan")
    assert structure.kind == "structure"
    assert ("root['score']", "values_changed", 2, 3) in [
        (c.path, c.kind, c.before, c.after) for c in structure.changes
    ]
    assert ("iterable_item_added", None, "notes on milk") in [
        (c.kind, c.before, c.after) for c in structure.changes
    ]
    text = diff("research")
    assert text.kind == "text"
    assert "-notes on tea\n+notes on milk" in text.text
    assert diff("extra").kind == "same"


def test_what_is_built_without_validation_is_valid(client: KitaruClient) -> None:
    one, other = planning.run("tea", 1), planning.run("tea", 2)
    one.wait()
    other.wait()
    execution = client.executions.get(other.exec_id)
    found = client.executions.diff(one.exec_id, other.exec_id)
    for model in (execution, found, *execution.artifacts):
        checked = type(model).model_validate(model.model_dump())
        assert checked.model_dump() == model.model_dump()
        assert checked.model_fields_set >= model.model_fields_set
        assert type(model).model_validate_json(model.model_dump_json()).model_dump() == model.model_dump()
    changed = execution.artifacts[0].model_copy(update={"name": "other"})
    assert (changed.name, changed.load()) == ("other", execution.artifacts[0].load())
