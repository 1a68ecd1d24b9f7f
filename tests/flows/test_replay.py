"""Replay: from a checkpoint, with overrides, from what changed; and values that are drawn once."""

from __future__ import annotations

import pytest

import kitaru
from kitaru import KitaruClient
from kitaru.errors import KitaruStateError, KitaruUsageError
from tests.support.processes import wait_until

RAN: list[str] = []


@kitaru.checkpoint
def research(topic: str) -> str:
    RAN.append("research")
    return f"notes on {topic}"


@kitaru.checkpoint
def draft(notes: str) -> str:
    RAN.append("draft")
    return f"draft of {notes}"


@kitaru.checkpoint
def polish(text: str, loud: bool) -> str:
    RAN.append("polish")
    return text.upper() if loud else text


@kitaru.flow
def write(topic: str, loud: bool = False) -> str:
    return polish(draft(research(topic)), loud)


def test_calls_before_from_are_not_run(client: KitaruClient) -> None:
    original = write.run("tea")
    original.wait()
    RAN.clear()
    handle = write.replay(original.exec_id, from_="polish", loud=True)
    assert handle.wait() == "DRAFT OF NOTES ON TEA"
    assert RAN == ["polish"]
    execution = client.executions.get(handle.exec_id)
    assert execution.original_exec_id == original.exec_id
    assert [c.cached_from for c in execution.checkpoints] == [
        f"{original.exec_id}/research#1",
        f"{original.exec_id}/draft#1",
        None,
    ]


def test_an_overridden_output_runs_what_follows(client: KitaruClient) -> None:
    original = write.run("tea")
    original.wait()
    RAN.clear()
    handle = write.replay(original.exec_id, overrides={"checkpoint.research": "better notes"})
    assert handle.wait() == "draft of better notes"
    assert RAN == ["draft", "polish"]


def test_a_changed_input_runs_from_where_it_counts(client: KitaruClient) -> None:
    original = write.run("tea")
    original.wait()
    RAN.clear()
    assert write.replay(original.exec_id, overrides={"input.loud": True}).wait() == "DRAFT OF NOTES ON TEA"
    assert RAN == ["polish"]
    assert write.replay(original.exec_id, from_="changed", topic="rum").wait() == "draft of notes on rum"
    assert RAN == ["polish", "research", "draft", "polish"]


def test_changed_runs_nothing_when_nothing_changed(client: KitaruClient) -> None:
    original = write.run("tea")
    original.wait()
    RAN.clear()
    assert write.replay(original.exec_id, from_="changed").wait() == original.get()
    assert RAN == []


@kitaru.flow
def thrice() -> str:
    return "".join(research(str(number)) for number in range(3))


def test_a_selector_must_mean_one_call(client: KitaruClient) -> None:
    handle = thrice.run()
    handle.wait()
    with pytest.raises(KitaruStateError, match="research#1, research#2, research#3"):
        thrice.replay(handle.exec_id, from_="research")
    with pytest.raises(KitaruStateError, match="has no call 'nothing'"):
        thrice.replay(handle.exec_id, from_="nothing")
    with pytest.raises(KitaruUsageError, match="no recorded input 'more'"):
        thrice.replay(handle.exec_id, more=1)
    with pytest.raises(KitaruStateError, match="no execution"):
        thrice.replay("kr-unknown")
    assert thrice.replay(handle.exec_id, from_="research#3").wait() == handle.get()


@kitaru.flow
def approved() -> str:
    return research("yes" if kitaru.wait("approve", timeout=60) else "no")


def test_an_answer_is_overridden(client: KitaruClient) -> None:
    handle = approved.run()
    wait_until(lambda: client.executions.pending_waits(handle.exec_id), "the question")
    client.executions.input(handle.exec_id, value=True)
    assert handle.wait(timeout=30) == "notes on yes"
    assert approved.replay(handle.exec_id, overrides={"wait.approve": False}).wait() == "notes on no"


@kitaru.flow
def drawing() -> list[str]:
    drawn = [str(kitaru.now()), str(kitaru.uuid4()), str(kitaru.random())]
    kitaru.log(drawn=len(drawn))
    research("x")
    return drawn


def test_what_was_drawn_stays(client: KitaruClient) -> None:
    handle = drawing.run()
    first = handle.wait()
    assert drawing.replay(handle.exec_id, from_="research").wait() == first
    assert client.executions.get(handle.exec_id).metadata == {"drawn": 3}
