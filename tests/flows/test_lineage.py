"""``client.artifacts.lineage``: up and down, within an execution and across executions."""

from __future__ import annotations

import pytest

import kitaru
from kitaru import AsyncKitaruClient, KitaruClient
from kitaru.backend import backend
from kitaru.errors import KitaruStateError, KitaruUsageError
from kitaru.models import Lineage
from tests.support.processes import wait_until

LONG = " and so many words that no other value is the same by chance" * 2


@kitaru.checkpoint
def fetch(topic: str) -> str:
    kitaru.save("raw", f"raw {topic}")
    return f"fetched {topic}{LONG}"


@kitaru.checkpoint
def approve(text: str) -> bool:
    return True


@kitaru.checkpoint
def publish(parts: list[str]) -> str:
    return "published " + "".join(parts)


@kitaru.checkpoint
def borrow(exec_id: str) -> str:
    return kitaru.load(exec_id, "publish") + "!"


@kitaru.flow(cache=True)
def reporting(topic: str) -> str:
    text = fetch(topic)
    if not approve(f"{text[:10]}"):
        return "refused"
    return publish([text, "the end"])


@kitaru.flow
def borrowing(exec_id: str) -> dict[str, str]:
    return {"borrowed": borrow(exec_id)}


@kitaru.flow
def parent(topic: str) -> str:
    child = reporting.run(topic)
    return child.wait()


def told(found: Lineage, *exec_ids: str) -> set[tuple[str, str, str, bool]]:
    """The edges, with the executions' ids as A, B, …"""

    def short(artifact_id: str) -> str:
        for letter, exec_id in zip("ABC", exec_ids, strict=False):
            artifact_id = artifact_id.replace(exec_id, letter)
        return artifact_id

    return {(short(e.source), short(e.target), e.kind, e.inferred) for e in found.edges}


@pytest.fixture
def report(client: KitaruClient) -> str:
    handle = reporting.run("tea")
    handle.wait()
    return handle.exec_id


UP = {
    ("A/publish#1/output", "A//result", "result", False),
    ("A/publish#1/input/parts", "A/publish#1/output", "call", False),
    ("A/approve#1/output", "A/publish#1/output", "condition", True),
    ("A/fetch#1/output", "A/publish#1/input/parts", "part", False),
    ("A/approve#1/input/text", "A/approve#1/output", "call", False),
    ("A/fetch#1/output", "A/approve#1/input/text", "derived", True),
    ("A/fetch#1/input/topic", "A/fetch#1/output", "call", False),
    ("A//input/topic", "A/fetch#1/input/topic", "argument", False),
}


def test_up_to_the_flows_input(client: KitaruClient, report: str) -> None:
    found = client.artifacts.lineage(f"{report}//result")
    assert told(found, report) == UP
    assert next(iter(found.artifacts)) == found.root
    assert (found.gone, found.cut) == ([], [])


def test_down_to_the_result_and_to_what_was_saved(client: KitaruClient, report: str) -> None:
    found = client.artifacts.lineage(f"{report}//input/topic", "down")
    assert told(found, report) == UP | {("A/fetch#1/input/topic", "A/fetch#1/saved/1", "call", False)}


def test_depth_cuts_and_says_where(client: KitaruClient, report: str) -> None:
    found = client.artifacts.lineage(f"{report}//result", depth=2)
    assert len(found.edges) == 3
    assert set(found.cut) == {f"{report}/publish#1/input/parts", f"{report}/approve#1/output"}


def test_a_load_is_followed_both_ways(client: KitaruClient, report: str) -> None:
    handle = borrowing.run(report)
    handle.wait()
    up = told(client.artifacts.lineage(f"{handle.exec_id}//result"), report, handle.exec_id)
    assert up >= {
        ("B/borrow#1/output", "B//result", "part", False),
        ("A/publish#1/output", "B/borrow#1/output", "load", False),
        ("A//input/topic", "A/fetch#1/input/topic", "argument", False),
    }
    down = client.artifacts.lineage(f"{report}/fetch#1/output", "down")
    assert ("B/borrow#1/output", "B//result", "part", False) in told(down, report, handle.exec_id)


def test_replays_and_cached_answers_lead_to_where_they_were_made(client: KitaruClient, report: str) -> None:
    replay = reporting.replay(report, from_="publish")
    replay.wait()
    up = told(client.artifacts.lineage(f"{replay.exec_id}//result"), report, replay.exec_id)
    assert ("A/fetch#1/output", "B/fetch#1/output", "replay", False) in up
    assert ("B/fetch#1/output", "B/publish#1/input/parts", "part", False) in up
    assert ("A//input/topic", "A/fetch#1/input/topic", "argument", False) in up
    cached = reporting.run("tea")
    cached.wait()
    newer = client.artifacts.lineage(f"{cached.exec_id}/approve#1/output")
    assert newer.edges[0].kind == "cache"
    down = client.artifacts.lineage(f"{report}/fetch#1/output", "down")
    assert f"{replay.exec_id}//result" in down.artifacts


def test_a_child_is_followed_both_ways(client: KitaruClient) -> None:
    handle = parent.run("tea")
    handle.wait()
    found = client.artifacts.lineage(f"{handle.exec_id}//result")
    assert found.artifacts.keys() >= {
        f"{handle.exec_id}//input/topic",
        f"{handle.exec_id}/reporting#1/input/topic",
    }
    assert {"child", "result", "argument"} <= {edge.kind for edge in found.edges}
    down = client.artifacts.lineage(f"{handle.exec_id}//input/topic", "down")
    assert f"{handle.exec_id}//result" in down.artifacts


def test_what_was_deleted_is_said_to_be_gone(client: KitaruClient, report: str) -> None:
    borrowed, replay = borrowing.run(report), reporting.replay(report, from_="publish")
    borrowed.wait()
    replay.wait()
    backend().store.reads.purge([report])
    found = client.artifacts.lineage(f"{borrowed.exec_id}/borrow#1/output")
    assert found.gone == [f"{report}/publish#1/output"]
    again = client.artifacts.lineage(f"{replay.exec_id}//result")
    assert f"{replay.exec_id}//input/topic" in again.artifacts
    assert f"{report}/fetch#1/output" in again.gone


def test_mistakes_are_told(client: KitaruClient, report: str) -> None:
    with pytest.raises(KitaruStateError, match="kitaru artifacts list"):
        client.artifacts.lineage(f"{report}/nothing#1/output")
    with pytest.raises(KitaruStateError):
        client.artifacts.lineage("kr-0000000000000000/fetch#1/output")
    with pytest.raises(KitaruUsageError, match="up or down"):
        client.artifacts.lineage(f"{report}//result", "left")
    with pytest.raises(KitaruUsageError, match="1 or more"):
        client.artifacts.lineage(f"{report}//result", depth=0)


async def _from_async(artifact_id: str) -> Lineage:
    return await AsyncKitaruClient().artifacts.lineage(artifact_id, depth=1)


def test_the_async_client_has_it(client: KitaruClient, report: str) -> None:
    import asyncio

    assert len(asyncio.run(_from_async(f"{report}//result")).edges) == 1


@kitaru.checkpoint
def step(number: int) -> int:
    return number + 1


@kitaru.flow
def long_chain(count: int) -> int:
    number = 0
    for _ in range(count):
        number = step(number)
    return number


def test_a_chain_of_thousands_is_followed_to_its_end(client: KitaruClient) -> None:
    handle = long_chain.run(3000)
    handle.wait()
    up = client.artifacts.lineage(f"{handle.exec_id}//result")
    assert f"{handle.exec_id}/step#1/input/number" in up.artifacts
    assert not any(edge.inferred for edge in up.edges)
    assert (
        f"{handle.exec_id}//result"
        in client.artifacts.lineage(f"{handle.exec_id}/step#1/output", "down").artifacts
    )


@kitaru.flow
def asking() -> str:
    answer = kitaru.wait("how many", schema=int)
    moment = kitaru.now()
    try:
        text = publish(["so many", 7])  # type: ignore[list-item]  # it fails: that is what is tested
    except TypeError as error:
        text = publish([str(error)])
    return f"{answer}, {moment:%Y}, {text}"


def test_answers_and_moments_count_and_calls_that_failed_do_not(client: KitaruClient) -> None:
    handle = asking.run()
    wait_until(lambda: client.executions.get(handle.exec_id).pending_wait, "the question")
    client.executions.input(handle.exec_id, value=7)
    assert handle.wait().startswith("7, ")
    found = client.artifacts.lineage(f"{handle.exec_id}//result")
    sources = [edge.source.partition("/")[2] for edge in found.edges if edge.target == found.root]
    assert sources == ["how many#1/output", "now#1/output", "publish#2/output"]
    assert found.gone == []
